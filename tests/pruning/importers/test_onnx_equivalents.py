"""ONNX files: equivalents of a chain compute what torch computes; wrong shapes and chance are refused."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import from_onnx
from tests.pruning.importers.converting import assert_same, chains
from tests.pruning.importers.onnx_graphs import CONV, WEIGHTS, array, export, save

CONSTANTS = {
    **WEIGHTS,
    "w4": array(4, 4, 3, 3),
    "wf": array(196, 3),
    "zero": np.float32(0),
    "half": np.array([0.5], np.float32),
    "low": np.array([-3.0, -1.0], np.float32)[:1],
    "channel": array(4, 1, 1),
    "three": array(3),
    "same3": np.tile(array(3), (2, 1)),
    "rows5": np.tile(array(3), (5, 1)),
    "slopes0": np.zeros((4, 1, 1), np.float32),
    "axis1": np.array([1]),
    "axes23": np.array([2, 3]),
    "axes2": np.array([2]),
    "start": np.array([0]),
    "end": np.array([1 << 40]),
    "ones": np.ones(4, np.int64),
    "one": np.array([1]),
    "nopads": np.zeros(8, np.int64),
    "pads": np.array([0, 0, 1, 1, 0, 0, 1, 1]),
    "pads23": np.array([1, 1, 1, 1]),
    "seven": np.float32(7),
    "yes": np.array(True),
    "no": np.array(False),
    "four": np.abs(array(4)),
    "bias": array(4),
    "to": np.array([0, 4, -1]),
    "crops": np.array([0, 0, -1, -1, 0, 0, -1, -1]),
    "zeros1": np.array([0, 1, 0, 0, 0, 0, 0, 0]),
    "w5": array(3, 5, 3, 3),
    "w8": array(3, 8, 3, 3),
    "wv": array(4, 3),
}
C = {name: torch.tensor(value) for name, value in CONSTANTS.items()}
FLAT = [("Flatten", "c", "f", {}), ("MatMul", "f wf", "m", {})]


def conv(x):
    return F.conv2d(x, C["w"])


def flat(x):
    return conv(x).flatten(1) @ C["wf"]


EQUAL = {
    "cast": ([("Cast", "c", "d", {"to": TensorProto.DOUBLE}), ("Cast", "d", "y", {"to": 1})], conv),
    "transpose": ([("Transpose", "c", "y", {"perm": [0, 1, 2, 3]})], conv),
    "identity": ([("Identity", "c", "y", {})], conv),
    "nothing padded": ([("Pad", "c nopads", "y", {"mode": "reflect"})], conv),
    "padding": (
        [("Pad", "c pads", "p", {}), ("Conv", "p w4", "y", {})],
        lambda x: F.conv2d(conv(x), C["w4"], padding=1),
    ),
    "padding and ReLU": (
        [
            ("Pad", "c pads23 zero axes23", "p", {}),
            ("Relu", "p", "r", {}),
            ("Conv", "r w4", "y", {"pads": [1] * 4}),
        ],
        lambda x: F.conv2d(conv(x).relu(), C["w4"], padding=2),
    ),
    "all of it": ([("Slice", "c start end axes2", "s", {}), ("Tile", "s ones", "y", {})], conv),
    "expanded": ([("Expand", "c one", "e", {}), ("Concat", "e", "y", {"axis": 1})], conv),
    "there and back": ([("Unsqueeze", "c axis1", "u", {}), ("Squeeze", "u axis1", "y", {})], conv),
    "rows of pixels": (
        [
            ("Reshape", "c to", "r", {}),
            ("ReduceMean", "r axes2", "a", {"keepdims": 0}),
            ("MatMul", "a wv", "y", {}),
        ],
        lambda x: conv(x).mean((2, 3)) @ C["wv"],
    ),
    "sum": (
        [("ReduceSum", "c axes23", "a", {"keepdims": 0}), ("MatMul", "a wv", "y", {})],
        lambda x: conv(x).sum((2, 3)) @ C["wv"],
    ),
    "maximum": ([("Max", "zero c", "y", {})], lambda x: conv(x).relu()),
    "maximum of three": ([("Max", "low c zero", "y", {})], lambda x: conv(x).relu()),
    "larger of three": (
        [("Neg", "c", "n", {}), ("Mul", "c half", "h", {}), ("Max", "c n h", "y", {})],
        lambda x: conv(x).abs(),
    ),
    "smaller of two": ([("Neg", "c", "n", {}), ("Min", "n c", "y", {})], lambda x: -conv(x).abs()),
    "slopes by channel": (
        [("PRelu", "c channel", "y", {})],
        lambda x: torch.where(conv(x) > 0, conv(x), conv(x) * C["channel"]),
    ),
    "maximum of one": ([("Max", "c", "m", {}), ("Min", "m", "n", {}), ("Sum", "n", "y", {})], conv),
    "clip": ([("Clip", "c zero", "y", {})], lambda x: conv(x).relu()),
    "clip nothing": ([("Clip", "c", "y", {})], conv),
    "clip what is positive": ([("Relu", "c", "r", {}), ("Clip", "r low", "y", {})], lambda x: conv(x).relu()),
    "leak of nothing": ([("LeakyRelu", "c", "y", {"alpha": 0.0})], lambda x: conv(x).relu()),
    "leaky": ([("LeakyRelu", "c", "y", {"alpha": 0.125})], lambda x: F.leaky_relu(conv(x), 0.125)),
    "slopes alike": ([("PRelu", "c half", "y", {})], lambda x: F.leaky_relu(conv(x), 0.5)),
    "slopes": ([("PRelu", "c slopes0", "y", {})], lambda x: conv(x).relu()),
    "threshold": ([("ThresholdedRelu", "c", "y", {"alpha": 0.0})], lambda x: conv(x).relu()),
    "scalar": ([("Add", "c half", "a", {}), ("Sub", "a seven", "y", {})], lambda x: conv(x) + 0.5 - 7),
    "subtracted": ([("Sub", "half c", "s", {}), ("Neg", "s", "y", {})], lambda x: conv(x) - 0.5),
    "factors": (
        [("Mul", "channel c", "m", {}), ("Div", "m seven", "y", {})],
        lambda x: conv(x) * C["channel"] / 7,
    ),
    "after ReLU": ([("Relu", "c", "r", {}), ("Mul", "r half", "y", {})], lambda x: conv(x).relu() / 2),
    "several summands": ([("Sum", "half c channel", "y", {})], lambda x: conv(x) + 0.5 + C["channel"]),
    "vector of scores": ([*FLAT, ("Add", "m three", "y", {})], lambda x: flat(x) + C["three"]),
    "C of rows": ([FLAT[0], ("Gemm", "f wf same3", "y", {})], lambda x: flat(x) + C["three"]),
    "C of one": ([FLAT[0], ("Gemm", "f wf zero", "y", {})], flat),
    "residual": ([("Relu", "c", "r", {}), ("Add", "c r", "y", {})], lambda x: conv(x) + conv(x).relu()),
    "doubled": ([("Add", "c c", "y", {})], lambda x: 2 * conv(x)),
    "difference": (
        [("Conv", "c w4", "d", {"pads": [1] * 4}), ("Sub", "d c", "y", {})],
        lambda x: F.conv2d(conv(x), C["w4"], padding=1) - conv(x),
    ),
    "sum of four": (
        [("Conv", "c w4", "d", {"pads": [1] * 4}), ("Relu", "d", "r", {}), ("Sum", "d half c r", "y", {})],
        lambda x: (lambda d: d + 0.5 + conv(x) + d.relu())(F.conv2d(conv(x), C["w4"], padding=1)),
    ),
    "padding at the end": ([("Pad", "c pads", "y", {})], lambda x: F.pad(conv(x), (1, 1, 1, 1))),
    "cropped": (
        [("Pad", "c crops", "d", {}), ("Conv", "d w4", "y", {})],
        lambda x: F.conv2d(conv(x)[:, :, 1:-1, 1:-1], C["w4"]),
    ),
    "channels of zeros": (
        [("Pad", "c zeros1", "d", {}), ("Conv", "d w5", "y", {})],
        lambda x: F.conv2d(F.pad(conv(x), (0, 0, 0, 0, 1, 0)), C["w5"]),
    ),
    "split and joined": (
        [
            ("Split", "c", "a b", {"num_outputs": 2, "axis": 1}),
            ("Concat", "b c a", "d", {"axis": 1}),
            ("Conv", "d w8", "y", {}),
        ],
        lambda x: F.conv2d(torch.cat([conv(x)[:, 2:], conv(x), conv(x)[:, :2]], 1), C["w8"]),
    ),
    "uneven stride": (
        [("Conv", "c w4", "y", {"strides": [2, 2], "auto_pad": "SAME_UPPER"})],
        lambda x: F.conv2d(conv(x), C["w4"], stride=2, padding=1),
    ),
    "uneven pads": (
        [("Conv", "c w4", "y", {"pads": [0, 0, 1, 1]})],
        lambda x: F.conv2d(F.pad(conv(x), (0, 1, 0, 1)), C["w4"]),
    ),
    "pooled whole": (
        [
            ("Relu", "c", "r", {}),
            ("MaxPool", "r", "y", {"kernel_shape": [2, 2], "strides": [2, 2], "ceil_mode": 1}),
        ],
        lambda x: F.max_pool2d(conv(x).relu(), 2, ceil_mode=True),
    ),
    "unused": (
        [
            ("Sigmoid", "c", "s", {}),
            ("Sub", "s c", "t", {}),
            ("RandomNormal", "", "z", {"shape": [1]}),
            ("Relu", "c", "y", {}),
        ],
        lambda x: conv(x).relu(),
    ),
    "dropout": ([("Dropout", "c half no", "d", {}), ("Dropout", "d zero yes", "y", {})], conv),
    "same average": (
        [
            ("MaxPool", "c", "p", {"kernel_shape": [1, 1]}),
            ("AveragePool", "p", "a", {"kernel_shape": [1, 1], "auto_pad": "SAME_LOWER"}),
            ("Relu", "a", "y", {}),
        ],
        lambda x: conv(x).relu(),
    ),
}


@pytest.mark.parametrize("batch", ["n", -1, 2])
@pytest.mark.parametrize("case", EQUAL)
def test_an_equivalent_of_a_chain_is_taken(tmp_path, case, batch):
    """Compared with torch: ONNX's evaluator is wrong on some operations."""
    nodes, function = EQUAL[case]
    path = save(tmp_path / "net.onnx", [CONV, *nodes], CONSTANTS, shape=(batch, 2, 9, 9))
    images = torch.rand(2, 2, 9, 9)
    with torch.no_grad():
        assert_same(from_onnx(path).model.eval()(images), function(images))


def test_equal_rows_are_a_bias_if_the_file_leaves_the_batch_open(tmp_path):
    nodes = [CONV, FLAT[0], ("Gemm", "f wf rows5", "y", {"beta": 2.0})]
    images = torch.rand(2, 2, 9, 9)
    chain = from_onnx(save(tmp_path / "open.onnx", nodes, CONSTANTS)).model
    assert_same(chain.eval()(images), flat(images) + 2 * C["three"])
    with pytest.raises(UnsupportedNetwork, match="C of 5×3 is no bias of 3 outputs"):
        from_onnx(save(tmp_path / "two.onnx", nodes, CONSTANTS, shape=(2, 2, 9, 9)))


RANDOM = "values are random"
REFUSED = {
    "noise": ([("RandomNormal", "", "z", {"shape": [4, 1, 1]}), ("Add", "c z", "y", {})], "'node1'", RANDOM),
    "uniform": ([("RandomUniform", "", "z", {"shape": [4, 1, 1]}), ("Mul", "c z", "y", {})], RANDOM),
    "like": ([("RandomNormalLike", "channel", "z", {}), ("Add", "c z", "y", {})], RANDOM, "eval mode"),
    "uniform like the map": ([("RandomUniformLike", "c", "z", {}), ("Add", "c z", "y", {})], RANDOM),
    "noise like the map": ([("RandomNormalLike", "c", "y", {})], RANDOM),
    "coins": ([("Bernoulli", "c", "y", {})], RANDOM),
    "coins of constants": ([("Bernoulli", "half", "z", {}), ("Mul", "c z", "y", {})], RANDOM),
    "draws": ([("Multinomial", "wv", "z", {}), ("Add", "c z", "y", {})], RANDOM),
    "random weights": (
        [("RandomNormal", "", "z", {"shape": [4, 4, 1, 1]}), ("Conv", "c z", "y", {})],
        RANDOM,
    ),
    "dropout": ([("Dropout", "c half yes", "y", {})], "Dropout node", "drops values at random"),
    "dropped constants": ([("Dropout", "channel half yes", "z", {}), ("Add", "c z", "y", {})], "drops"),
    "batch statistics": (
        [("BatchNormalization", "c four four four four", "y m v", {"training_mode": 1})],
        "running statistics",
    ),
    "constant maximum": (
        [("MaxPool", "w", "z", {"kernel_shape": [2, 2]}), ("Conv", "x z", "y", {})],
        "MaxPool node",
        "computes a constant",
    ),
    "low bound": ([("Clip", "c half", "d", {}), ("Conv", "d w4", "y", {})], "Clip node", "only activation"),
    "maximum": ([("Max", "c half", "y", {})], "Max node", "only activation"),
    "minimum": ([("Min", "c half", "y", {})], "Min node", "only activation"),
    "leaky": ([*FLAT, ("LeakyRelu", "m", "y", {})], "LeakyRelu node", "is 0.01,", "nn.LeakyReLU(0.0078125)"),
    "larger of three, one a number": ([("Neg", "c", "d", {}), ("Max", "c d half", "y", {})], "Max node"),
    "whole numbers": ([("Cast", "c", "d", {"to": 6}), ("Cast", "d", "y", {"to": 1})], "whole numbers"),
    "swapped": ([("Transpose", "c", "d", {"perm": [0, 1, 3, 2]}), ("Conv", "d w4", "y", {})], "were moved"),
    "cut": ([("Slice", "c one end axes2", "d", {}), ("Conv", "d w4", "y", {})], "makes 6×7 of 7×7 pixels"),
    "joined": ([("Concat", "c w4", "y", {"axis": 0})], "joins and parts the channels"),
    "mirrored": ([("Pad", "c pads", "p", {"mode": "reflect"}), ("Conv", "p w4", "y", {})], "padding is zero"),
    "filled": ([("Pad", "c pads half", "p", {}), ("Conv", "p w4", "y", {})], "padding is zero"),
    "inverse": ([("Div", "half c", "y", {})], "Div node", "no arithmetic"),
    "no number": ([("Div", "c zero", "y", {})], "Div node", "no arithmetic"),
    "by pixel": ([("Add", "c three3", "y", {})], "one number per channel of the 4×7×7 map"),
    "by image": ([*FLAT, ("Add", "m rows", "y", {})], "a constant of 2×3", "one number per channel"),
    "C by image": ([FLAT[0], ("Gemm", "f wf rows", "y", {})], "C of 2×3 is no bias of 3 outputs"),
    "C of many": ([FLAT[0], ("Gemm", "f wf four", "y", {})], "C of 4 is no bias of 3 outputs"),
    "C of three axes": ([FLAT[0], ("Gemm", "f wf channel", "y", {})], "C of 4×1×1 is no bias"),
    "strides": ([("Conv", "c w4", "y", {"strides": [1]})], "strides must be two numbers, not [1]"),
    "pads": ([("Conv", "c w4", "y", {"pads": [1, 1]})], "pads must be four numbers, not [1, 1]"),
    "kernel": ([("Conv", "c w4", "y", {"kernel_shape": [5, 5]})], "kernel_shape says 5×5", "weights are 3×3"),
    "no kernel": ([("MaxPool", "c", "y", {})], "kernel_shape must be two numbers, not none"),
    "auto_pad": ([("Conv", "c w4", "y", {"auto_pad": "SAME"})], "unknown auto_pad SAME"),
}  # fmt: skip
MORE = {"three3": array(7, 7), "rows": array(2, 3)}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_equivalent_is_refused(tmp_path, case):
    nodes, *parts = REFUSED[case]
    path = save(tmp_path / "net.onnx", [CONV, *nodes], CONSTANTS | MORE)
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(path)
    assert "\n" not in str(caught.value)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("node", "opset", "part"),
    [
        (("Dropout", "c", "y", {}), 6, "drops values at random"),
        (("BatchNormalization", "c four four four four", "y", {}), 6, "running statistics"),
        (("BatchNormalization", "c four four four four", "y m v s t", {}), 9, "running statistics"),
        (("Dropout", "c", "y", {"is_test": 1}), 6, None),
        (("BatchNormalization", "c four four four four", "y", {"is_test": 1}), 6, None),
        (("Dropout", "c", "y", {}), 10, None),
        (("BatchNormalization", "c four four four four", "y", {}), 9, None),
    ],
)
def test_old_files_say_otherwise_whether_they_train(tmp_path, node, opset, part):
    path = save(tmp_path / "old.onnx", [CONV, node], CONSTANTS, opset=opset)
    if part is None:
        assert len(from_onnx(path).network.layers) == 1
    else:
        with pytest.raises(UnsupportedNetwork, match=part):
            from_onnx(path)


# --- shapes of what a file holds ------------------------------------------------------------------------

NETWORK = [
    ("Conv", "x w b", "c", {"pads": [1] * 4}),
    ("BatchNormalization", "c scale shift mean variance", "n", {}),
    ("Relu", "n", "r", {}),
    ("MaxPool", "r", "p", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("Flatten", "p", "f", {}),
    ("Gemm", "f v d", "g", {"transB": 1}),
    ("Relu", "g", "h", {}),
    ("MatMul", "h u", "s", {}),
    ("Add", "s e", "y", {}),
]
HELD = {
    "w": array(4, 2, 3, 3),
    "b": array(4),
    **{name: array(4) for name in ("scale", "shift", "mean")},
    "variance": np.abs(array(4)),
    "v": array(64, 64),
    "d": array(64),
    "u": array(64, 3),
    "e": array(3),
}
OTHER_SHAPES = {
    "longer": lambda s: (*s[:-1], s[-1] + 1),
    "shorter": lambda s: (*s[:-1], s[-1] - 1),
    "more": lambda s: (s[0] + 1, *s[1:]),
    "fewer": lambda s: (s[0] - 1, *s[1:]),
    "deeper": lambda s: (*s, 2),
    "wrapped": lambda s: (2, *s),
    "flat": lambda s: s[1:],
    "none": lambda s: (*s[:-1], 0),
}
FITTING = {("d", "flat"), ("e", "flat")}
"""Numbers without an axis are added to every output."""


@pytest.mark.parametrize("how", OTHER_SHAPES)
@pytest.mark.parametrize("name", HELD)
def test_a_tensor_of_another_shape_is_refused(tmp_path, name, how):
    """Longer or shorter by one, of more or fewer axes: each in turn."""
    from_onnx(save(tmp_path / "right.onnx", NETWORK, HELD, shape=("n", 2, 8, 8)))
    size = OTHER_SHAPES[how](HELD[name].shape)
    wrong = np.arange(1, np.prod(size) + 1, dtype=np.float32).reshape(size)
    path = save(tmp_path / "wrong.onnx", NETWORK, HELD | {name: wrong}, shape=("n", 2, 8, 8))
    if (name, how) in FITTING:
        from_onnx(path)
        return
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(path)
    assert "\n" not in str(caught.value)


def test_damaged_tensors_and_integer_images_are_one_sentence(tmp_path):
    path = save(tmp_path / "net.onnx", [CONV, ("Relu", "c", "y", {})], WEIGHTS)
    model = onnx.load(path)
    model.graph.initializer[0].raw_data = b"1234"
    onnx.save(model, path)
    with pytest.raises(ConfigError, match="no sound ONNX model: tensor 'w'"):
        from_onnx(path)
    model.graph.initializer[0].CopyFrom(numpy_helper.from_array(WEIGHTS["w"], "w"))
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    onnx.save(model, path)
    with pytest.raises(
        UnsupportedNetwork, match="an input of type int32, and images come as floats or bytes"
    ):
        from_onnx(path)


@pytest.mark.parametrize("shape", [("n", 4, 81), (2, 784), ("n", 1, 4, 9, 9)])
def test_an_input_of_other_axes_is_called_that(tmp_path, shape):
    path = save(tmp_path / "signal.onnx", [("Relu", "x", "y", {})], shape=shape)
    with pytest.raises(
        UnsupportedNetwork, match=r"an input of [?\d×]+, and the hardware takes maps of channels"
    ):
        from_onnx(path)


def test_functions_of_the_file_are_its_nodes(tmp_path):
    path = save(tmp_path / "net.onnx", [CONV, ("Positive", "c", "y", {"domain": "own"})], WEIGHTS)
    model = onnx.load(path)
    ids = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    inner = [helper.make_node("Relu", ["a"], ["b"])]
    model.functions.append(helper.make_function("own", "Positive", ["a"], ["b"], inner, ids[:1]))
    model.opset_import.append(ids[1])
    onnx.save(model, path)
    images = torch.rand(2, 2, 9, 9)
    assert_same(from_onnx(path).model.eval()(images), conv(images).relu())


# --- at random ------------------------------------------------------------------------------------------

SCALARS = {"zero": 0.0, "one": 1.0, "two": 2.0, "half": 0.5, "least": -np.inf}
HARMLESS = {
    "identity": [("Identity", "{}", {})],
    "wider": [("Cast", "{}", {"to": TensorProto.DOUBLE}), ("Cast", "{}", {"to": TensorProto.FLOAT})],
    "zero": [("Add", "noise_zero {}", {})],
    "one": [("Div", "{} noise_one", {})],
    "least": [("Max", "noise_least {}", {})],
    "all": [("Slice", "{} noise_start noise_end noise_axis", {})],
    "expanded": [("Expand", "{} noise_axis", {})],
    "joined": [("Concat", "{}", {"axis": 1})],
    "there and back": [("Unsqueeze", "{} noise_axis", {}), ("Squeeze", "{} noise_axis", {})],
    "clip": [("Clip", "{}", {})],
    "dropout": [("Dropout", "{}", {})],
}
"""Nodes that change nothing, one after the other."""
RELUS = [
    ("Relu", "{}", {}),
    ("Max", "noise_zero {}", {}),
    ("Clip", "{} noise_zero", {}),
    ("LeakyRelu", "{}", {"alpha": 0.0}),
    ("PRelu", "{} noise_zero", {}),
]


def noisy(model, draw):
    """``model`` with harmless nodes after others, other ReLUs, and unused nodes."""
    graph = model.graph
    maps, nodes = {graph.input[0].name}, []
    scalars = {name: np.array(value, np.float32) for name, value in SCALARS.items()}
    held = {**scalars, "axis": np.array([1]), "start": np.array([0]), "end": np.array([1 << 40])}
    graph.initializer.extend(numpy_helper.from_array(value, f"noise_{name}") for name, value in held.items())
    layer = averaged = False
    for number, node in enumerate(list(graph.node)):
        if maps.isdisjoint(node.input) or node.op_type == "Shape":
            nodes.append(node)
            continue
        layer, averaged = layer or node.op_type == "Conv", averaged or "Average" in node.op_type
        averaged = averaged and node.op_type not in ("Gemm", "MatMul")
        result = node.output[0]
        maps.add(result)
        chosen = [HARMLESS[name] for name in draw(st.lists(st.sampled_from(sorted(HARMLESS)), max_size=2))]
        if layer and not averaged and draw(st.booleans()):
            chosen.append([("Mul", "{} noise_two", {}), ("Mul", "noise_half {}", {})])
        if node.op_type == "Relu":
            operation, inputs, attributes = draw(st.sampled_from(RELUS))
            node = helper.make_node(operation, inputs.format(node.input[0]).split(), [result], **attributes)
        after = [one for several in chosen for one in several]
        names = [f"noise_{number}_{k}" for k in range(len(after))] + [result]
        node.output[0] = names[0]
        nodes.append(node)
        for k, (operation, inputs, attributes) in enumerate(after):
            ends = inputs.format(names[k]).split(), [names[k + 1]]
            nodes.append(helper.make_node(operation, *ends, **attributes))
        if draw(st.booleans()):
            nodes.append(helper.make_node("Sigmoid", [names[0]], [f"unused_{number}"]))
    del graph.node[:]
    graph.node.extend(nodes)
    graph.input[0].type.tensor_type.shape.dim[0].dim_value = draw(st.sampled_from([-1, 1]))
    return model


@given(chains(largest=12, averages=[1]), st.data())
@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
def test_nodes_that_change_nothing_are_left_out(tmp_path, model, data):
    """The network is that of the bare file, and the model computes what the module does in torch."""
    model.eval()
    path = export(model, tmp_path / "net.onnx")
    bare = from_onnx(path).network
    onnx.save(noisy(onnx.load(path), data.draw), path)
    network, chain = from_onnx(path)
    images = torch.rand(3, *model.shape)
    for one, other in zip(network.layers, bare.layers, strict=True):
        assert type(one) is type(other) and {**vars(one), "name": ""} == {**vars(other), "name": ""}
    with torch.no_grad():
        assert_same(chain.eval()(images), model(images))
