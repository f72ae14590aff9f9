"""Where a quantised ONNX file ends, and what of one cannot be taken."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

from hw.util.errors import UnsupportedNetwork
from pruning import fold_batch_norms_, from_onnx, quantise_
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save
from tests.pruning.importers.quantised_graphs import CONV, QONNX, WHOLE, W, qdq, tensor

Q = {"signed": 1, "narrow": 0, "rounding_mode": "ROUND", **QONNX}


BITS = {"z": np.float32(0), "b16": np.float32(16), "b1": np.float32(1), "b4": np.float32(4)}


FLAT = [CONV, ("Flatten", "c", "f", {}), ("Gemm", "f v", "g", {})]


ENDS = {
    "whole numbers": (
        [("QuantizeLinear", "g s", "y", {})],
        ("the ReLU and the limit of 12.75 of its scores",),
    ),
    "with a sign": (
        [("QuantizeLinear", "g s z8", "y", {})],
        ("the range of -6.4 to 6.35 of its scores", "rounding to whole numbers"),
    ),
    "16 bits": ([("Quant", "g s z b16", "y", Q)], ("Quant node 'node3'",)),
    "a sign alone": ([("BipolarQuant", "g s", "y", QONNX)], ("BipolarQuant node 'node3'",)),
    "softmax": (
        [("Softmax", "g", "p", {}), *qdq("p", "y")],
        ("Softmax node 'node3'", "QuantizeLinear node 'node4'", "DequantizeLinear node 'node5'"),
    ),
}


@pytest.mark.parametrize("case", ENDS)
def test_quantisers_of_the_scores_are_left_to_the_host(tmp_path, case):
    nodes, host = ENDS[case]
    constants = {**W, **BITS, "v": array(196, 3), "z8": np.int8(0)}
    found = from_onnx(save(tmp_path / "e.onnx", [*FLAT, *nodes], constants))
    assert found.host[: len(host)] == host
    images = torch.rand(2, 2, 9, 9)
    scores = F.conv2d(images, tensor(W["w"])).flatten(1) @ tensor(constants["v"])
    assert_same(found.model.eval()(images), scores)


CHANNELS = {"s4": np.array([0.1, 0.2, 0.3, 0.4], np.float32), "z4": np.zeros(4, np.uint8)}


AFTER = ("Conv", "q w4", "y", {})


REFUSED = {
    "16 bits": ([("Quant", "c s z b16", "q", Q), AFTER], "a map of 16 bits, and the hardware's maps have 8"),
    "uint16": ([*qdq("c", "q", "zw"), AFTER], "'node1': a map of 16 bits"),
    "one bit": ([("Quant", "c s z b1", "q", Q), AFTER], "a map of two values", "2 bits or more"),
    "bipolar": ([("BipolarQuant", "c s", "q", QONNX), AFTER], "BipolarQuant node 'node1'", "a step function"),
    "channels": ([*qdq("c", "q", "z4", "s4"), AFTER], "the channels of a map have steps of their own"),
    "dynamic": (
        [("ReduceMax", "c", "m", {"keepdims": 0}), ("QuantizeLinear", "c m", "q", {}), AFTER],
        "has no ReduceMax",
    ),
    "dynamic nodes": (
        [("DynamicQuantizeLinear", "c", "q s0 z0", {}), AFTER],
        "its step follows from the image",
    ),
    "two steps": (
        [qdq("c", "q")[0], ("DequantizeLinear", "q_i s9", "q", {}), AFTER],
        "DequantizeLinear node 'node2': its step or zero point is not that of the QuantizeLinear",
    ),
    "no pair": ([("DequantizeLinear", "c s", "q", {}), AFTER], "'node1': it takes a map of real numbers"),
    "no zero": (
        [("Quant", "c s zm b4", "q", {**Q, "signed": 0}), AFTER],
        "its range of 0.15 to 0.9 leaves no room for zero",
    ),
    "step zero": ([*qdq("c", "q", step="s0"), AFTER], "its step is not above zero and finite"),
    "in integers": (
        [qdq("c", "q")[0], ("Add", "q_i q_i", "t", {}), ("DequantizeLinear", "t s", "q", {}), AFTER],
        "Add node 'node2': it computes with whole numbers; export the model with quantisers in pairs (QDQ)",
    ),
    "operators": (
        [("ConvInteger", "c w8", "q", {}), AFTER],
        "ConvInteger node 'node1': it computes with whole numbers",
    ),
    "eight bit floats": ([*qdq("c", "q", "f8"), AFTER], "quantised to float8_e4m3fn, no whole numbers"),
    "rounding": (
        [("Quant", "c s z b4", "q", {**Q, "rounding_mode": "DICE"}), AFTER],
        "rounding 'DICE' is none",
    ),
    "float quant": ([("FloatQuant", "c s", "q", QONNX), AFTER], "it rounds to floats of few bits"),
    "too few steps": (
        [("DequantizeLinear", "w8 s4", "wq", {"axis": 1}), ("Conv", "c wq", "y", {})],
        "DequantizeLinear node 'node1': 1×4×1×1 steps for 4×3×1×1 numbers",
    ),
}


def refused(path, nodes):
    constants = {**W, **BITS, **CHANNELS, "zw": np.uint16(0), "zu": np.uint8(0), "zs": np.int8(0)}
    constants |= {
        "s9": np.float32(0.06),
        "zm": np.float32(-3),
        "s0": np.float32(0),
        "w8": WHOLE[:4, :3, :1, :1],
    }
    save(path, [CONV, *nodes], constants, opset=21)
    proto = onnx.load(path)
    f8 = helper.make_tensor("f8", TensorProto.FLOAT8E4M3FN, [], [0.0])
    proto.graph.initializer.append(f8)
    onnx.save(proto, path)
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(path)
    return str(caught.value)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_taken_is_one_sentence(tmp_path, case, capfd):
    nodes, *parts = REFUSED[case]
    said = refused(tmp_path / "r.onnx", nodes)
    assert "\n" not in said and capfd.readouterr() == ("", "")
    for part in parts:
        assert part in said


def test_all_that_is_in_the_way_is_named(tmp_path):
    nodes = [
        ("Quant", "c s z b16", "q", Q),
        ("Conv", "q w4", "d", {}),
        ("BipolarQuant", "d s", "e", QONNX),
        ("Conv", "e w1", "f", {}),
        ("Sigmoid", "f", "g", {}),
        ("Conv", "g w1", "y", {}),
    ]
    said = refused(tmp_path / "all.onnx", nodes)
    assert said.startswith("3 things are in the way: (1) Quant node 'node1'")
    assert "(2) BipolarQuant node 'node3'" in said and "(3) Sigmoid node 'node5'" in said


def test_norms_fold_behind_ranges(tmp_path):
    """Convolution, norm, ReLU, quantiser: as Brevitas trains them."""
    nodes = [
        CONV,
        ("BatchNormalization", "c gamma beta mean variance", "n", {}),
        ("Relu", "n", "r", {}),
        *qdq("r", "y"),
    ]
    norms = {"gamma": array(4), "beta": array(4), "mean": array(4), "variance": np.ones(4, np.float32)}
    network, model = found = from_onnx(
        save(tmp_path / "n.onnx", nodes, {**W, **norms, "s": np.float32(0.004)})
    )
    images = torch.rand(3, 2, 9, 9)
    before = model.eval()(images).detach()
    assert float(before.max()) == pytest.approx(1.02)
    fold_batch_norms_(model, network)
    assert_same(model(images), before)
    (layer,) = quantise_(model, network, None, given=found.given).values()
    assert float(layer.out_scale[0]) * 255 == pytest.approx(1.02)
