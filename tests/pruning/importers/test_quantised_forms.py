"""Every form of a quantised ONNX file gives the same integers, scales and ranges."""

import copy

import numpy as np
import pytest
import torch

from hw.contract.network import Conv, Dense
from hw.util.errors import ConfigError
from pruning import from_onnx, quantise_, to_artifact
from pruning.quant.given import Given
from sim.model import run
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save
from tests.pruning.importers.quantised_graphs import STEPS, Numbers, dialect, tensor

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
