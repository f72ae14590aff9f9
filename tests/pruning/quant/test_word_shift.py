"""Narrow spectra in training: shifts by calibration, fake-quant against the integer model, gradients."""

import numpy as np
import pytest
import torch

from hw.contract.artifact import load
from hw.contract.formats import Format, round_shift
from hw.contract.network import Conv, Network, tiny
from hw.util.errors import ConfigError
from pruning import AdmmConfig, NetworkModel, prune_, quantise_, to_artifact
from pruning.quant.quantise import calibrate_, fake_quants_of
from pruning.quant.word_shift import choose_shift
from sim import model as integer_model

MAP = Network("map", (2, 9, 11), (Conv("conv", 2, 5, 3, padding=1, relu=True, pool=2),))


def trained(network: Network, least_bias: float = -0.3) -> NetworkModel:
    model = NetworkModel(network)
    with torch.no_grad():  # biases large enough that a wrong unit shows
        for layer in network.layers:
            model.get_submodule(layer.name).bias.uniform_(least_bias, 0.5)
    prune_(model, network, AdmmConfig()).finalise()
    return model


def integers(images: torch.Tensor) -> np.ndarray:
    return (images * 255).round().byte().numpy()


def largest_parts(trace) -> np.ndarray:
    """(32,) of spectra (image, row, column, in, 32, 2)."""
    return np.abs(trace.spectra.astype(int)).max(axis=(0, 1, 2, 3, 5))


@pytest.mark.parametrize("bits", [9, 11, 13])
def test_a_shift_is_the_smallest_that_saturates_on_no_calibration_image(tiny_batch, bits):
    """Of the first layer, whose pixels are the images': up to the roundings of the integer transform.

    All channels fire: where one hardly does, noise of the quantised layer before may exceed its range.
    """
    model = trained(tiny())
    quantise_(model, tiny(), tiny_batch, spectrum_bits=16)
    reach = largest_parts(integer_model.trace(to_artifact(model, tiny()), integers(tiny_batch))["conv1"])
    model = trained(tiny(), least_bias=0.4)
    quantise_(model, tiny(), tiny_batch, spectrum_bits=bits)
    artifact = to_artifact(model, tiny())
    limit, shifts = Format(bits).limits[1], artifact.layers["conv1"].word_shift.tolist()
    for word, shift in enumerate(shifts):
        assert round_shift(int(reach[word]) - 3, shift) <= limit
        assert shift == 0 or round_shift(int(reach[word]) + 3, shift - 1) > limit
    assert len(set(shifts)) > 1 or bits == 13
    trace = integer_model.trace(artifact, integers(tiny_batch))
    for name in ("conv1", "conv2"):
        x, cut = trace[name].spectra, artifact.layers[name].word_shift
        assert np.isin(x, Format(bits).limits).mean() < 1e-3, "quantised activations differ by a step or two"
        assert (largest_parts(trace[name])[cut > 0] > limit // 2 - 8).all(), "half of the range at least"


def test_shifts_follow_the_largest_channel_in_its_own_steps():
    ranges = torch.zeros(2, 32)
    ranges[0, 5], ranges[1, 5], ranges[1, 6] = 10.0, 900.0, 1e9
    shift = choose_shift(ranges, torch.tensor([0.01, 1.0]), 11)  # 2000 and 1800 steps of X; no limit at all
    assert shift.tolist() == [0] * 5 + [1, 5] + [0] * 25


@pytest.mark.parametrize(("bits", "weight_bits"), [(9, 8), (11, 8), (11, 3), (13, 8), (15, 12)])
def test_integer_model_agrees_with_fake_quant(tiny_batch, bits, weight_bits):
    """The exported integers mean what fake-quant computes: only transform rounding may differ."""
    model = trained(tiny())
    quantise_(model, tiny(), tiny_batch, weight_bits=weight_bits, spectrum_bits=bits)
    artifact = to_artifact(model, tiny())
    assert artifact.spectrum_bits == bits
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy()
    scores = integer_model.run(artifact, integers(tiny_batch)) * artifact.score_scale
    assert np.abs(scores - fake_quantised).max() < 0.03 * fake_quantised.std()


@pytest.mark.parametrize("bits", [8, 9, 11])
def test_a_feature_map_agrees_within_a_step(tiny_batch, bits):
    """The transforms differ by roundings alone; one of them may move a word by a whole step of a cut word."""
    model = trained(MAP)
    quantise_(model, MAP, tiny_batch, spectrum_bits=bits)
    artifact = to_artifact(model, MAP)
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy() / artifact.score_scale
    difference = np.abs(integer_model.run(artifact, integers(tiny_batch)) - fake_quantised)
    assert difference.mean() < 0.1 and (difference > 1.001).mean() < 0.01 and difference.max() <= 4


@pytest.mark.parametrize("bits", [9, 11])
def test_words_that_saturate_do_so_in_both(tiny_batch, bits):
    """Calibrated on dark images, run on bright ones: clipped by the same limits, or this is far off."""
    model = trained(MAP)
    dark = (tiny_batch / 4 * 255).round() / 255
    quantise_(model, MAP, dark, spectrum_bits=bits)
    artifact = to_artifact(model, MAP)
    trace = integer_model.trace(artifact, integers(tiny_batch))["conv"]
    assert np.isin(trace.spectra, Format(bits).limits).mean() > 0.1
    with torch.no_grad():
        fake_quantised = model(tiny_batch).numpy() / artifact.score_scale
    difference = np.abs(trace.output - fake_quantised)
    assert difference.mean() < 0.2 and difference.max() <= 6


def test_nine_bits_lose_little_because_every_word_has_a_shift_of_its_own(tiny_batch):
    def error(bits: int, shift: int | None = None) -> float:
        torch.manual_seed(1)
        model = trained(tiny())
        with torch.no_grad():
            expected = model(tiny_batch)
            layers = quantise_(model, tiny(), tiny_batch, weight_bits=12, spectrum_bits=bits)
            for layer in layers.values():
                if shift is not None and layer.word_shift is not None:
                    layer.word_shift.fill_(shift)
            return float((model(tiny_batch) - expected).square().mean().sqrt() / expected.std())

    wide, nine = error(16), error(9)
    assert wide < 0.005 and nine < 1.5 * wide
    assert error(9, shift=7) > 2 * nine, "one shift for all words, that of the largest"


def test_gradients_pass_through_words_that_are_cut_and_stop_at_those_that_saturate(tiny_batch):
    def gradients(bits: int) -> torch.Tensor:
        torch.manual_seed(2)
        model = trained(MAP)
        quantise_(model, MAP, tiny_batch, spectrum_bits=bits)
        x = tiny_batch.clone().requires_grad_()
        model(x).square().sum().backward()
        return torch.cat([x.grad.flatten(), model.conv.layer.weight.grad.flatten()])

    cosine = torch.nn.functional.cosine_similarity(gradients(9), gradients(16), dim=0)
    assert float(cosine) > 0.98
    model = trained(MAP)
    quantise_(model, MAP, (tiny_batch / 16 * 255).round() / 255, spectrum_bits=9)
    x = torch.ones_like(tiny_batch, requires_grad=True)  # far beyond what word 0 holds
    layer = fake_quants_of(model, MAP)["conv"]
    layer.word_shift[0] = 0
    model(x).sum().backward()
    saturated = x.grad.clone()
    x.grad = None
    layer.word_shift[0] = 7
    model(x).sum().backward()
    assert float(saturated.abs().sum()) < float(x.grad.abs().sum())


def test_a_layer_knows_its_shifts_and_checkpoints_keep_them(tiny_batch, tmp_path):
    model = trained(tiny())
    quantise_(model, tiny(), tiny_batch, spectrum_bits=10)
    names = [name for name in model.state_dict() if "word_shift" in name]
    assert names == ["conv1.word_shift", "conv2.word_shift"]
    to_artifact(model, tiny()).save(tmp_path / "model.npz")
    loaded = load(tmp_path / "model.npz")
    for name, layer in fake_quants_of(model, tiny()).items():
        kept = layer.word_shift
        expected = [0] * 32 if kept is None else kept.tolist()
        assert loaded.layers[name].word_shift.tolist() == expected
    wide = trained(tiny())
    quantise_(wide, tiny(), tiny_batch)
    assert not [name for name in wide.state_dict() if "word_shift" in name]


def test_a_bias_counts_in_steps_of_word_0_as_it_is_cut(tiny_batch):
    model = trained(MAP)
    quantise_(model, MAP, tiny_batch, spectrum_bits=9)
    layer = fake_quants_of(model, MAP)["conv"]
    step = 2 ** int(layer.word_shift[0])
    assert step > 1
    exact = 128 / step * layer.layer.bias / layer.scale
    assert float((layer.integer_bias() - exact).detach().abs().max()) <= 0.5


def test_widths_there_cannot_be_are_one_sentence(tiny_batch):
    for bits, sentence in ((7, "8 to 16, not 7"), (8, "must be 9 or more, not 8: the fully connected layer")):
        with pytest.raises(ConfigError, match=f"spectrum_bits .*{sentence}"):
            calibrate_(NetworkModel(tiny()), tiny(), tiny_batch, spectrum_bits=bits)
