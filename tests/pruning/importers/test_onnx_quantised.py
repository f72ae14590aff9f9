"""Quantised ONNX files, in the forms that Brevitas, torch and ONNX Runtime write, and what is refused.

What a file computes without the rounding of its maps is computed here once more, from the same numbers:
weights rounded by hand, maps clipped.
"""

import copy

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper

from hw.contract.network import Conv, Dense
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import fold_batch_norms_, from_onnx, quantise_, to_artifact
from pruning.quant.given import Given
from sim.model import run
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save

QONNX = {"domain": "qonnx.custom_op.general"}
STEPS = {"x": 1 / 255, "r": 0.02, "c": 0.03, "h": 0.06}
"""Of the images, behind the first ReLU, of the second convolution's map, of the hidden layer."""


def tensor(values):
    return torch.from_numpy(np.array(values))


class Numbers:
    """Integer weights and steps of a small network, and what it computes."""

    def __init__(self, seed=1, bits=4, per_channel=True):
        rng = np.random.default_rng(seed)
        most = 2 ** (bits - 1) - 1
        shapes = {"w1": (4, 2, 3, 3), "w2": (5, 4, 3, 3), "w3": (6, 45), "w4": (3, 6)}
        self.whole, self.step = {}, {}
        for name, shape in shapes.items():
            self.whole[name] = rng.integers(-most, most + 1, shape).astype(np.int8)
            count = shape[0] if per_channel and name != "w4" else 1
            self.step[name] = (rng.uniform(0.5, 1.5, count) * 0.3 / most).astype(np.float32)
        self.bias = rng.integers(-40, 41, 6).astype(np.int32)
        self.bias_step = np.float32(0.01)

    def real(self, name):
        whole = self.whole[name]
        return whole.astype(np.float32) * self.step[name].reshape(-1, *[1] * (whole.ndim - 1))

    def __call__(self, x, maps=15.0):
        """``maps``: the largest whole number of the maps without a sign."""
        w1, w2, w3, w4 = (tensor(self.real(name)) for name in ("w1", "w2", "w3", "w4"))
        x = F.conv2d(x, w1, padding=1).clamp(0, maps * STEPS["r"])
        x = F.max_pool2d(x, 2)
        x = F.conv2d(x, w2, padding=1)[:, :, :3, :3]
        bias = tensor(self.bias.astype(np.float32) * self.bias_step)
        return F.linear(F.linear(x.flatten(1), w3, bias).clamp(0, maps * STEPS["h"]), w4)


def dialect(form, numbers, path):
    """The network of ``numbers``, for maps of 7×7, in one of the ways in which tools write quantisers."""
    nodes, constants = [], {}

    def weight(name):
        whole, step, real = numbers.whole[name], numbers.step[name], numbers.real(name)
        axes = [-1, *[1] * (whole.ndim - 1)]
        if form == "qonnx":  # real numbers, not rounded yet; steps along the weight's own axes
            constants.update({name: real * np.float32(1.01), f"{name}s": step.reshape(axes)})
            narrow = {"signed": 1, "narrow": 1, "rounding_mode": "ROUND", **QONNX}
            nodes.append(("Quant", f"{name} {name}s zero four", f"{name}q", narrow))
        elif form == "torch":  # rounded in the file: fake quantisation of torch's exporter
            constants.update({name: real * np.float32(1.01), f"{name}s": step})
            constants[f"{name}z"] = np.zeros(len(step), np.int8)
            nodes.append(("QuantizeLinear", f"{name} {name}s {name}z", f"{name}i", {"axis": 0}))
            nodes.append(("DequantizeLinear", f"{name}i {name}s {name}z", f"{name}q", {"axis": 0}))
        elif form == "runtime":  # ONNX Runtime: 8 bits with a zero point
            constants.update({f"{name}_quantized": (whole.astype(np.int16) + 128).astype(np.uint8)})
            constants.update({f"{name}s": step, f"{name}z": np.full(len(step), 128, np.uint8)})
            nodes.append(("DequantizeLinear", f"{name}_quantized {name}s {name}z", f"{name}q", {"axis": 0}))
        else:  # Brevitas: clipped whole numbers
            constants.update({f"{name}c": whole, f"{name}s": step, "m7": np.int8(-7), "p7": np.int8(7)})
            nodes.append(("Clip", f"{name}c m7 p7", f"{name}i", {}))
            nodes.append(("DequantizeLinear", f"{name}i {name}s", f"{name}q", {"axis": 0}))

    def map_(name, out, step, signed=False, bits=4):
        constants[f"{out}s"] = np.float32(step)
        if form == "qonnx":
            given = {"signed": int(signed), "narrow": 0, "rounding_mode": "ROUND", **QONNX}
            nodes.append(("Quant", f"{name} {out}s zero {'eight' if bits == 8 else 'four'}", out, given))
            return
        zero = {"runtime": "zr"}.get(form, "zs" if signed else "zu") if not signed else "zs"
        nodes.append(("QuantizeLinear", f"{name} {out}s {zero}", f"{out}i", {}))
        whole = f"{out}i"
        if bits == 4:
            ends = ("lowr highr" if zero == "zr" else "lows highs" if signed else "lowu highu").split()
            nodes.append(("Clip", f"{out}i {' '.join(ends)}", f"{out}j", {}))
            whole = f"{out}j"
        nodes.append(("DequantizeLinear", f"{whole} {out}s {zero}", out, {}))

    constants |= {"zero": np.float32(0), "four": np.float32(4), "eight": np.float32(8)}
    constants |= {"zs": np.int8(0), "zu": np.uint8(0), "zr": np.int8(-128)}
    constants |= {"lows": np.int8(-8), "highs": np.int8(7), "lowu": np.uint8(0), "highu": np.uint8(15)}
    constants |= {"lowr": np.int8(-128), "highr": np.int8(-113)}
    map_("x", "xq", STEPS["x"], bits=8)
    weight("w1")
    nodes.append(("Conv", "xq w1q", "c1", {"pads": [1, 1, 1, 1]}))
    if form != "runtime":  # which leaves it to the range
        nodes.append(("Relu", "c1", "r1", {}))
    map_("c1" if form == "runtime" else "r1", "r1q", STEPS["r"])
    nodes.append(("MaxPool", "r1q", "p1", {"kernel_shape": [2, 2], "strides": [2, 2]}))
    weight("w2")
    nodes.append(("Conv", "p1 w2q", "c2", {"pads": [1, 1, 1, 1]}))
    map_("c2", "c2q", STEPS["c"], signed=True, bits=8)
    weight("w3")
    nodes.append(("Flatten", "c2q", "f", {}))
    constants |= {"bw": numbers.bias, "bs": numbers.bias_step.reshape(1), "b32": np.float32(32)}
    if form == "qonnx":
        constants["b"] = numbers.bias.astype(np.float32) * numbers.bias_step
        nodes.append(("Quant", "b bs zero b32", "bq", {"signed": 1, "narrow": 0, **QONNX}))
    else:
        nodes.append(("DequantizeLinear", "bw bs", "bq", {"axis": 0}))
    nodes.append(("Gemm", "f w3q bq", "g1", {"transB": 1}))
    if form != "runtime":
        nodes.append(("Relu", "g1", "h", {}))
    map_("g1" if form == "runtime" else "h", "hq", STEPS["h"])
    weight("w4")
    nodes.append(("Gemm", "hq w4q", "y", {"transB": 1}))
    return save(path, nodes, constants, shape=("n", 2, 7, 7))


FORMS = ["qonnx", "clip", "torch", "runtime"]


@pytest.mark.parametrize("form", FORMS)
def test_weights_and_ranges_of_every_form_are_taken(tmp_path, form):
    numbers = Numbers()
    found = from_onnx(dialect(form, numbers, tmp_path / "q.onnx"))
    images = torch.rand(5, 2, 7, 7)
    expected = numbers(images)
    with torch.no_grad():
        assert_same(found.model.eval()(images), expected)
        assert float((expected - numbers(images, maps=1e9)).abs().max()) > 0.01, "ranges matter here"
    r, c, h = 15 * STEPS["r"], STEPS["c"], 15 * STEPS["h"]
    assert [type(layer) for layer in found.network.layers] == [Conv, Conv, Dense, Dense]
    assert [layer.clip for layer in found.network.layers] == pytest.approx([r, None, h, None])
    ends = [(given.low, given.high) for given in found.given.values()]
    assert ends[:3] == [pytest.approx(end) for end in ((0, r), (-128 * c, 127 * c), (0, h))]
    weights, maps = found.note.split("; ")
    assert weights == "weights of up to 4 bits are the real numbers of the file"
    assert maps == "maps of 4 bits have finer steps in the same range"


@pytest.mark.parametrize("form", FORMS[:2])
def test_an_artifact_needs_no_images_and_has_the_scales_of_the_file(tmp_path, form):
    numbers = Numbers(seed=3, bits=4)
    network, model = found = from_onnx(dialect(form, numbers, tmp_path / "q.onnx"))
    images = torch.randint(0, 256, (6, 2, 7, 7))
    with torch.no_grad():
        real = model.eval()(images / 255)
    layers = quantise_(model, network, None, given=found.given, weight_bits=10)
    tops = [float(layer.out_scale[0]) * (127 if not layer.spec.relu else 255) for layer in layers.values()]
    wanted = [15 * STEPS["r"], 127 * STEPS["c"], 15 * STEPS["h"]]
    assert tops[:3] == pytest.approx(wanted, rel=1e-6)
    for layer in list(layers.values())[:3]:
        assert bool((layer.out_scale == layer.out_scale[0]).all())
    artifact = to_artifact(model, network)
    last = layers[network.layers[-1].name]
    assert torch.equal(last.integer_weight(), tensor(numbers.whole["w4"]).float()), "as they are in the file"
    step = numbers.step["w4"][0] * STEPS["h"] * 15 / 255
    assert artifact.score_scale / step == pytest.approx(2 ** round(np.log2(artifact.score_scale / step)))
    scores = tensor(run(artifact, images.numpy().astype(np.uint8))).view(6, 3)
    off = (scores * artifact.score_scale - real).abs().max() / real.abs().max()
    assert float(off) < 0.1, "roundings to 8 bits; scores are small differences here"


def test_the_range_of_a_map_is_exactly_that_of_the_file_however_large_its_weights_are(tmp_path):
    for factor in (0.01, 1.0, 1.7, 100.0):
        numbers = Numbers(seed=5)
        numbers.step["w1"] *= np.float32(factor)
        found = from_onnx(dialect("clip", numbers, tmp_path / "q.onnx"))
        layer = next(iter(quantise_(found.model, found.network, None, given=found.given).values()))
        top = layer.out_scale * 255
        least = (
            layer.layer.weight.abs().flatten(1).amax(1) / 255 / 127 * 255
        )  # one step of an output is no less
        assert torch.allclose(top, torch.maximum(torch.full_like(top, 15 * STEPS["r"]), least), rtol=1e-4)
        assert int(layer.integer_weight().abs().max()) <= 127


def test_calibration_images_are_for_the_layers_of_which_the_file_says_nothing(tmp_path):
    nodes = [
        ("DequantizeLinear", "w s", "wq", {}),
        ("Conv", "x wq", "c", {}),
        ("Relu", "c", "r", {}),
        ("Conv", "r wq2", "d", {}),
        ("Relu", "d", "e", {}),
        ("QuantizeLinear", "e s", "q", {}),
        ("DequantizeLinear", "q s", "y", {}),
    ]
    constants = {"w": np.ones((3, 2, 3, 3), np.int8), "s": np.float32(0.05), "wq2": array(2, 3, 1, 1)}
    found = from_onnx(save(tmp_path / "part.onnx", nodes, constants))
    assert found.given == {"node3": Given(0.0, pytest.approx(12.75))}
    with pytest.raises(ConfigError, match=r"what range 'node1' should have: give calibration images"):
        quantise_(copy.deepcopy(found.model), found.network, None, given=found.given)
    with pytest.raises(ConfigError, match=r"spectra of 11 bits are shifted as images ask for"):
        quantise_(found.model, found.network, None, given=found.given, spectrum_bits=11)
    images = torch.randint(0, 256, (8, 2, 9, 9)) / 255
    layers = quantise_(found.model, found.network, images, given=found.given)
    assert float(layers["node3"].out_scale[0]) * 255 == pytest.approx(12.75)
    assert 0.3 < float(layers["node1"].out_scale[0]) * 255 < 4, "0.9 or less is what it reaches"


# --- numbers --------------------------------------------------------------------------------------------


def weights_of(path):
    return from_onnx(path).model.get_submodule(from_onnx(path).network.layers[0].name).weight.detach()


def of_weights(path, nodes, constants, opset=21):
    return save(path, [*nodes, ("Conv", "x wq", "y", {})], constants, shape=("n", 4, 9, 9), opset=opset)


WHOLE = np.random.default_rng(8).integers(-8, 8, (6, 4, 3, 3)).astype(np.int8)


def test_weights_of_four_bits_in_blocks_and_channels(tmp_path):
    """Opset 21: a step for every two input channels of every output."""
    steps = np.random.default_rng(9).uniform(0.1, 1, (6, 2, 3, 3)).astype(np.float32)
    nodes = [("DequantizeLinear", "w s", "wq", {"axis": 1, "block_size": 2})]
    path = of_weights(tmp_path / "i4.onnx", nodes, {"s": steps})
    proto = onnx.load(path)
    proto.graph.initializer.append(helper.make_tensor("w", TensorProto.INT4, WHOLE.shape, WHOLE.flatten()))
    onnx.save(proto, path)
    expected = WHOLE * steps[:, [0, 0, 1, 1]]
    np.testing.assert_allclose(weights_of(path).numpy(), expected, rtol=1e-6)
    assert from_onnx(path).note == "weights of up to 4 bits are the real numbers of the file"


ROUNDED = {
    "ROUND": [-2, -2, -1, 0, 0, 0, 1, 2, 2],
    "FLOOR": [-2, -2, -2, -1, 0, 0, 1, 1, 2],
    "CEIL": [-2, -1, -1, 0, 0, 1, 2, 2, 2],
    "UP": [-2, -2, -2, -1, 0, 1, 2, 2, 2],
    "DOWN": [-2, -1, -1, 0, 0, 0, 1, 1, 2],
    "HALF_UP": [-2, -2, -1, -1, 0, 1, 1, 2, 2],
    "HALF_DOWN": [-2, -1, -1, 0, 0, 0, 1, 1, 2],
}
"""Of -2.4, -1.5, -1.2, -0.5, 0, 0.5, 1.2, 1.5 and 2.4, kept within -2 and 2."""


@pytest.mark.parametrize("mode", ROUNDED)
def test_roundings_of_weights_are_those_of_qonnx(tmp_path, mode):
    given = np.array([-2.4, -1.5, -1.2, -0.5, 0, 0.5, 1.2, 1.5, 2.4], np.float32)
    attributes = {"signed": 1, "narrow": 1, "rounding_mode": mode, **QONNX}
    constants = {"w": np.float32(0.5) * np.tile(given, 4).reshape(1, 4, 3, 3), "s": np.float32(0.5)}
    constants |= {"z": np.float32(0), "b": np.float32(2.5849625)}  # 5 numbers have no whole number of bits
    nodes = [("Quant", "w s z b", "wq", attributes)]
    with pytest.raises(UnsupportedNetwork, match=r"Quant node 'node0': 2\.58\d+ bits; give one width"):
        from_onnx(of_weights(tmp_path / "r.onnx", nodes, constants))
    constants["b"] = np.float32(3)
    constants["w"] = np.clip(constants["w"], -1.2, 1.2)
    found = weights_of(of_weights(tmp_path / "r.onnx", nodes, constants))[0, 2].flatten().numpy() * 2
    wanted = [
        3 if n == 2.4 and mode in ("CEIL", "UP") else m for n, m in zip(given, ROUNDED[mode], strict=True)
    ]
    wanted = [-3 if n < -2 and mode in ("FLOOR", "UP") else m for n, m in zip(given, wanted, strict=True)]
    assert [float(n) for n in found] == [float(n) for n in wanted]


@pytest.mark.parametrize("node", [("BipolarQuant", "w s"), ("Quant", "w s z one")], ids=lambda n: n[0])
def test_weights_of_one_bit_are_minus_one_and_one(tmp_path, node):
    constants = {"w": array(6, 4, 3, 3), "s": np.float32(0.25), "z": np.float32(0), "one": np.float32(1)}
    constants["w"][0, 0, 0, 0] = 0.0
    path = of_weights(tmp_path / "b.onnx", [(*node, "wq", {"signed": 1, "narrow": 0, **QONNX})], constants)
    assert torch.equal(weights_of(path), tensor(np.where(constants["w"] >= 0, 0.25, -0.25)).float())
    assert from_onnx(path).note == "weights of up to 1 bits are the real numbers of the file"


def test_layers_are_called_after_the_weights_in_front_of_their_quantisers(tmp_path):
    nodes = [("DequantizeLinear", "features.3.weight_quantized s", "t7", {}), ("Conv", "x t7", "y", {})]
    constants = {"features.3.weight_quantized": WHOLE[:, :2], "s": np.float32(0.1)}
    (layer,) = from_onnx(save(tmp_path / "n.onnx", nodes, constants)).network.layers
    assert layer.name == "features_3"


# --- maps -----------------------------------------------------------------------------------------------

W = {"w": array(4, 2, 3, 3), "w4": array(4, 4, 3, 3), "w1": array(4, 4, 1, 1), "s": np.float32(0.05)}
CONV = ("Conv", "x w", "c", {})


def qdq(name, out, zero="", step="s"):
    return [
        ("QuantizeLinear", f"{name} {step} {zero}".strip(), f"{out}_i", {}),
        ("DequantizeLinear", f"{out}_i {step} {zero}".strip(), out, {}),
    ]


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


# --- the end, and what is refused -----------------------------------------------------------------------

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
