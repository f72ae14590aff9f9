"""Files of operators that compute with whole numbers, as ONNX Runtime writes them (QOperator): what they give
is computed here once more, from the same whole numbers."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator

from hw.util.errors import UnsupportedNetwork
from pruning import from_onnx, quantise_, to_artifact
from pruning.importers.onnx_operators import OPERATORS, in_pairs_
from sim.model import run
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import save

RUNTIME = {"domain": "com.microsoft"}
PADDED = {"pads": [1, 1, 1, 1]}

STEPS = {"x": 1 / 255, "c": 0.03, "d": 0.04, "a": 0.05, "j": 0.05, "p": 0.03, "m": 0.02, "g": 0.3}
"""Of maps, by name. Those of ``d`` are around a zero point: they have a sign."""

SIGNED = {"d": 120, "g": 128}


def constants():
    """Whole numbers: weights around zero points, per channel; biases; and steps and zero points of all."""
    rng = np.random.default_rng(7)
    found = {"w": rng.integers(-127, 128, (4, 2, 3, 3)).astype(np.int8), "wz": np.zeros(4, np.int8)}
    found |= {"v": rng.integers(0, 256, (4, 4, 3, 3)).astype(np.uint8), "vz": np.uint8(131)}
    found |= {"u": rng.integers(-127, 128, (3, 8)).astype(np.int8), "uz": np.int8(0)}
    found |= {"ws": rng.uniform(0.001, 0.004, 4).astype(np.float32), "vs": np.float32(0.002)}
    found |= {"us": np.float32(0.01), "b": rng.integers(-9000, 9000, 4).astype(np.int32)}
    found |= {"e": rng.integers(-2000, 2000, 3).astype(np.int32)}
    for name, step in STEPS.items():
        found |= {f"{name}s": np.float32(step), f"{name}z": np.uint8(SIGNED.get(name, 0))}
    return found


NODES = [
    ("QuantizeLinear", "x xs xz", "xq", {}),
    ("QLinearConv", "xq xs xz w ws wz cs cz b", "c", PADDED),
    ("QLinearConv", "c cs cz v vs vz ds dz", "d", PADDED),
    ("QLinearAdd", "c cs cz d ds dz as az", "a", RUNTIME),
    ("QLinearConcat", "js jz a as az c cs cz", "j", {"axis": 1, **RUNTIME}),
    ("MaxPool", "j", "k", {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ("QLinearGlobalAveragePool", "k js jz ms mz", "m", {"channels_last": 0, **RUNTIME}),
    ("Flatten", "m", "f", {}),
    ("QGemm", "f ms mz u us uz e gs gz", "g", {"transB": 1, "alpha": 0.5, **RUNTIME}),
    ("DequantizeLinear", "g gs gz", "y", {}),
]


def expected(x, given):
    """The network of :data:`NODES` in real numbers, without the rounding of its maps."""

    w = torch.from_numpy(given["w"] * given["ws"].reshape(-1, 1, 1, 1))
    v = torch.from_numpy((given["v"].astype(np.float32) - 131) * given["vs"])
    bias, last = (torch.from_numpy(given[name]).float() for name in ("b", "e"))
    bias = bias * torch.from_numpy(given["xs"] * given["ws"])
    c = F.conv2d(x, w, bias, padding=1).clamp(0, 255 * STEPS["c"])
    d = F.conv2d(c, v, padding=1)
    a = (c + d).clamp(0, 255 * STEPS["a"])
    pooled = F.max_pool2d(torch.cat([a, c], 1), 2).mean((2, 3))
    u = torch.from_numpy(given["u"] * given["us"])
    return 0.5 * F.linear(pooled, u) + last * float(0.5 * given["ms"] * given["us"])


@pytest.fixture
def found(tmp_path):
    return from_onnx(save(tmp_path / "o.onnx", NODES, constants(), ("n", 2, 8, 8)))


def test_operators_of_whole_numbers_are_those_of_real_ones(found):
    given = constants()
    images = torch.randint(0, 256, (5, 2, 8, 8), generator=torch.Generator().manual_seed(1)) / 255
    with torch.no_grad():
        result = found.model.eval()(images)
    assert_same(result, expected(images, given))
    assert float(result.std()) > 0.1
    layers = {layer.name: layer for layer in found.network.layers}
    assert (layers["node1"].clip, layers["node2"].added) == (pytest.approx(255 * STEPS["c"]), True)
    assert found.given["node2"].high == pytest.approx(255 * STEPS["a"])
    assert "left to the host: the range of" in found.note


def test_integers_need_no_images(found):
    network, model = found
    images = np.random.default_rng(2).integers(0, 256, (9, 2, 8, 8)).astype(np.uint8)
    scores = expected(torch.from_numpy(images) / 255, constants())
    layers = quantise_(model, network, None, given=found.given, weight_bits=12)
    whole = torch.from_numpy(np.stack(list(run(to_artifact(model, network), images))))
    real = whole * layers[network.layers[-1].name].out_scale
    assert float((real - scores).abs().max()) < 0.03 * float(scores.abs().max())


def test_what_onnx_itself_computes_is_as_close_as_its_maps_are_rounded(tmp_path):
    """Of those operators that ONNX defines, by its own evaluator: a step of the last map or two."""
    nodes = [
        ("QuantizeLinear", "x xs xz", "xq", {}),
        ("QLinearConv", "xq xs xz w ws wz cs cz b", "c", {**PADDED, "strides": [2, 2]}),
        ("Reshape", "c shape", "f", {}),
        ("QLinearMatMul", "f cs cz u us uz gs gz", "g", {}),
        ("DequantizeLinear", "g gs gz", "y", {}),
    ]
    given = constants() | {"shape": np.array([-1, 64])}
    given["u"] = np.random.default_rng(3).integers(-127, 128, (64, 5)).astype(np.int8)
    path = save(tmp_path / "m.onnx", nodes, given, (4, 2, 8, 8), opset=19)
    images = np.random.default_rng(4).integers(0, 256, (4, 2, 8, 8)).astype(np.float32) / 255
    (whole,) = ReferenceEvaluator(str(path)).run(None, {"x": images})
    with torch.no_grad():
        real = from_onnx(path).model.eval()(torch.from_numpy(images))
    assert np.abs(whole).max() > 5 * STEPS["g"]
    assert float((real - torch.from_numpy(whole)).abs().max()) < 1.5 * STEPS["g"]


OTHERS = {
    "QLinearLeakyRelu": ("c cs cz as az", {"alpha": 0.25}, lambda c: F.leaky_relu(c, 0.25)),
    "QLinearAveragePool": (
        "c cs cz as az",
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        lambda c: F.avg_pool2d(c, 2),
    ),
    "QLinearReduceMean": ("c cs cz as az", {"axes": [2, 3], "keepdims": 0}, lambda c: c.mean((2, 3))),
    "QLinearMul": ("c cs cz us1 us uz as az", {}, lambda c: c * 0.5),
}


@pytest.mark.parametrize("operation", OTHERS)
def test_other_operators(tmp_path, operation):
    inputs, attributes, function = OTHERS[operation]
    nodes = [
        ("QuantizeLinear", "x xs xz", "xq", {}),
        ("QLinearConv", "xq xs xz w ws wz cs cz", "c", {}),
        (operation, inputs, "q", {**attributes, **RUNTIME}),
        ("DequantizeLinear", "q as az", "y", {}),
    ]
    given = constants() | {"cz": np.uint8(128), "az": np.uint8(128), "us1": np.int8(50)}
    found = from_onnx(save(tmp_path / "n.onnx", nodes, given, ("n", 2, 9, 9)))
    images = torch.randint(0, 256, (3, 2, 9, 9), generator=torch.Generator().manual_seed(5)) / 255
    w = torch.from_numpy(given["w"] * given["ws"].reshape(-1, 1, 1, 1))
    with torch.no_grad():
        assert_same(found.model.eval()(images), function(F.conv2d(images, w)))


@pytest.mark.parametrize("operation", ["Softmax", "Sigmoid"])
def test_what_the_host_does_at_the_end(tmp_path, operation):
    nodes = [*NODES[:2], ("Flatten", "c", "f", {}), (f"QLinear{operation}", "f cs cz as az", "y", RUNTIME)]
    found = from_onnx(save(tmp_path / "s.onnx", nodes, constants(), ("n", 2, 4, 4)))
    assert f"{operation} node 'node3'" in found.note


def test_scores_without_a_step_are_real_numbers(tmp_path):
    nodes = [*NODES[:8], ("QGemm", "f ms mz u us uz", "y", {"transB": 1, **RUNTIME})]
    found = from_onnx(save(tmp_path / "r.onnx", nodes, constants(), ("n", 2, 8, 8)))
    assert "its scores" not in found.note and found.network.classes == 3
    assert found.given[found.network.layers[-1].name].step == pytest.approx(0.01)


REFUSED = {
    "real numbers": (
        [("QLinearConv", "x xs xz w ws wz cs cz", "y", {})],
        "DequantizeLinear node 'node0': it takes a map of real numbers",
    ),
    "another step": (
        [*NODES[:2], ("QLinearConv", "c ds cz v vs vz ds dz", "y", {})],
        "node2': its step or zero point is not that of the QuantizeLinear in front of it",
    ),
    "steps of the image": (
        [("DynamicQuantizeLinear", "x", "q s z", {}), ("ConvInteger", "q w", "y", {})],
        "its step follows from the image",
    ),
    "channels last": (
        [NODES[0], ("QLinearConv", "xq xs xz w ws wz cs cz", "y", {"channels_last": 1, **RUNTIME})],
        "QLinearConv node 'node1': it computes with whole numbers",
    ),
    "no steps": (
        [NODES[0], ("QLinearAdd", "xq", "y", RUNTIME)],
        "QLinearAdd",
    ),
    "nothing joined": (
        [NODES[0], ("QLinearConcat", "xs xz", "y", {"axis": 1, **RUNTIME})],
        "with whole numbers",
    ),
    "steps of maps by channel": (
        [NODES[0], ("QLinearConv", "xq xs xz w ws wz ws wz", "y", {})],
        "QuantizeLinear node 'node1': the channels of a map have steps of their own",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_one_sentence(tmp_path, case):
    nodes, says = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(save(tmp_path / "r.onnx", nodes, constants(), ("n", 2, 8, 8)))
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_every_node_is_written_once_and_none_of_whole_numbers_is_left(tmp_path):
    model = onnx.load(save(tmp_path / "p.onnx", NODES, constants(), ("n", 2, 8, 8)))
    in_pairs_(model)
    found = [node.op_type for node in model.graph.node]
    outputs = [name for node in model.graph.node for name in node.output]
    assert len(set(outputs)) == len(outputs) and not OPERATORS.keys() & set(found)
    assert found.count("QuantizeLinear") == 7 and found.count("Conv") == 2 and found.count("MaxPool") == 1
    before = list(model.graph.node)
    in_pairs_(model)
    assert list(model.graph.node) == before


def test_every_operator_is_in_some_test():
    tried = {node[0] for node in NODES} | set(OTHERS)
    assert OPERATORS.keys() - tried == {"QLinearMatMul", "QLinearSoftmax", "QLinearSigmoid"}
