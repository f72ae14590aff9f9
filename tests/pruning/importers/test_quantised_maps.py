"""Ranges of quantised maps, and what stands between their quantisers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pruning import from_onnx, quantise_
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save
from tests.pruning.importers.quantised_graphs import CONV, QONNX, W, qdq, tensor


def test_a_map_that_is_read_twice_is_no_copy_and_a_sum_has_the_range_behind_it(tmp_path):
    """A DequantizeLinear for every reader, as some tools write; the range in front of a sum is none of it."""
    nodes = [
        CONV,
        ("Relu", "c", "r", {}),
        ("QuantizeLinear", "r s", "i", {}),
        ("DequantizeLinear", "i s", "one", {}),
        ("DequantizeLinear", "i s", "two", {}),
        ("Conv", "one w4", "d", {"pads": [1, 1, 1, 1]}),
        *qdq("d", "dq", "z8"),
        ("Conv", "two w1", "e", {}),
        *qdq("e", "eq", "z8"),
        ("Add", "dq eq", "a", {}),
        ("Relu", "a", "b", {}),
        *qdq("b", "y", step="s2"),
    ]
    constants = {**W, "z8": np.int8(3), "s2": np.float32(0.02)}
    found = from_onnx(save(tmp_path / "sum.onnx", nodes, constants))
    assert len(found.network.layers) == 3 and found.network.layers[-1].added
    low, high = -131 * 0.05, 124 * 0.05
    ends = [(g.low, g.high) for g in found.given.values()]
    assert ends[0] == pytest.approx((0, 12.75)) and ends[1] == pytest.approx((low, high))
    assert ends[2] == pytest.approx((0, 255 * 0.02)) and found.network.layers[-1].clip == ends[2][1]
    images = torch.rand(3, 2, 9, 9)
    r = F.conv2d(images, tensor(W["w"])).clamp(0, 12.75)
    expected = F.conv2d(r, tensor(W["w4"]), padding=1) + F.conv2d(r, tensor(W["w1"]))
    assert float(expected.max()) > 255 * 0.02
    with torch.no_grad():
        assert_same(found.model.eval()(images), expected.clamp(0, 255 * 0.02))
    layers = quantise_(found.model, found.network, None, given=found.given, weight_bits=12)
    assert float(layers[found.network.layers[1].name].out_scale[0]) * 128 == pytest.approx(-low, rel=1e-5)


def test_an_unsigned_range_is_a_relu_and_a_signed_one_none(tmp_path):
    signs = {}
    for kind in (np.int8, np.uint8):
        path = save(tmp_path / "z.onnx", [CONV, *qdq("c", "y", "z")], {**W, "z": kind(0)})
        (signs[kind],) = from_onnx(path).network.layers
    assert signs[np.uint8].relu and signs[np.uint8].clip == pytest.approx(12.75)
    assert not signs[np.int8].relu and signs[np.int8].clip is None


def test_a_signed_range_in_front_of_a_relu_ends_it_as_well(tmp_path):
    nodes = [CONV, *qdq("c", "q", "z"), ("Relu", "q", "y", {})]
    found = from_onnx(save(tmp_path / "r.onnx", nodes, {**W, "z": np.int8(0), "s": np.float32(0.01)}))
    assert found.network.layers[0].clip == pytest.approx(1.27)
    images = torch.rand(3, 2, 9, 9)
    conv = F.conv2d(images, tensor(W["w"]))
    assert float(conv.max()) > 1.27
    assert_same(found.model.eval()(images), conv.clamp(0, 1.27))


def test_means_wait_for_their_layer_and_are_not_cut(tmp_path):
    nodes = [
        CONV,
        *qdq("c", "q"),
        ("GlobalAveragePool", "q", "m", {}),
        *qdq("m", "mq", step="s2"),
        ("Flatten", "mq", "f", {}),
        *qdq("f", "fq", step="s3"),
        ("Gemm", "fq v", "y", {}),
    ]
    constants = {**W, "v": array(4, 3), "s2": np.float32(0.002), "s3": np.float32(0.05)}
    found = from_onnx(save(tmp_path / "m.onnx", nodes, constants))
    assert [layer.name for layer in found.network.layers] == ["node0", "node9"]
    assert found.note == "means above their range are not cut: QuantizeLinear node 'node4'"
    images = torch.rand(3, 2, 9, 9)
    means = F.conv2d(images, tensor(W["w"])).clamp(0, 12.75).mean((2, 3))
    assert_same(found.model.eval()(images), means @ tensor(constants["v"]))


def trunc(version, mode):
    """A mean over 2×2 pixels of a map of 4 bits, by QONNX's two kinds of Trunc."""
    attributes = {"rounding_mode": mode, "signed": 0, "narrow": 0, **QONNX}
    inputs = {1: "m quarter z six four", 2: "m quarter z six s four"}[version]
    relu = ("Quant", "c s z four", "q", {"signed": 0, "narrow": 0, "rounding_mode": "ROUND", **QONNX})
    pool = ("AveragePool", "q", "m", {"kernel_shape": [2, 2], "strides": [2, 2]})
    return [CONV, relu, pool, ("Trunc", inputs, "t", attributes), ("Conv", "t w1", "y", {})]


@pytest.mark.parametrize("version", [1, 2])
def test_a_truncation_is_a_range_and_in_its_old_form_a_factor(tmp_path, version):
    numbers = {"quarter": np.float32(0.0125), "z": np.float32(0), "six": np.float32(6), "four": np.float32(4)}
    constants = {**W, **numbers}
    found = from_onnx(save(tmp_path / "t.onnx", trunc(version, "FLOOR"), constants, shape=("n", 2, 8, 8)))
    images = torch.rand(3, 2, 8, 8)
    means = F.avg_pool2d(F.conv2d(images, tensor(W["w"])).clamp(0, 0.75), 2)
    expected = F.conv2d(means * (0.25 if version == 1 else 1), tensor(W["w1"]))
    assert_same(found.model.eval()(images), expected)
    assert "rounded to the nearest, not in one direction: Trunc node 'node3'" in found.note
    assert found.given["node0_average"].high == pytest.approx(0.75)


def test_images_are_left_as_they_are_but_where_white_is_cut_off(tmp_path):
    for step, layers in ((1 / 255, 1), (1 / 128, 1), (1 / 300, 2)):
        nodes = [*qdq("x", "q", "z"), ("Conv", "q w", "y", {})]
        zero = np.int8(0) if step == 1 / 128 else np.uint8(0)
        found = from_onnx(save(tmp_path / "i.onnx", nodes, {**W, "s": np.float32(step), "z": zero}))
        assert len(found.network.layers) == layers
        images = torch.rand(3, 2, 9, 9)
        expected = F.conv2d(images.clamp(max=255 / 300) if layers == 2 else images, tensor(W["w"]))
        assert_same(found.model.eval()(images), expected)


def test_operations_that_leave_whole_numbers_as_they_are_may_stand_between_a_pair(tmp_path):
    pool = ("MaxPool", "c_i", "p", {"kernel_shape": [2, 2], "strides": [2, 2]})
    nodes = [CONV, qdq("c", "c")[0], pool, ("DequantizeLinear", "p s", "d", {}), ("Flatten", "d", "y", {})]
    found = from_onnx(save(tmp_path / "p.onnx", nodes, W, shape=("n", 2, 8, 8)))
    images = torch.rand(2, 2, 8, 8)
    expected = F.max_pool2d(F.conv2d(images, tensor(W["w"])), 2).clamp(0, 12.75)
    assert_same(found.model.eval()(images).flatten(1), expected.flatten(1))
