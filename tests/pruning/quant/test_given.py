"""Ranges and steps that a file gives, in place of calibration images."""

import pytest
import torch

from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ConfigError
from pruning.layers.models import NetworkModel
from pruning.quant.given import Given
from pruning.quant.quantise import quantise_


def made(network, given, **options):
    model = NetworkModel(network).eval()
    return model, quantise_(model, network, None, given=given, **options)


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("low", "high"), [(-1.28, 1.27), (-8.0, 7.0), (-1.0, 3.0), (-3.0, 1.0)])
def test_the_range_of_every_channel_is_the_one_given(relu, low, high):
    torch.manual_seed(2)
    network = Network("n", (3, 9, 9), (Conv("a", 3, 8, 3, relu=relu), Conv("b", 8, 2, 1, relu=False)))
    _, layers = made(network, {"a": Given(low, high), "b": Given(-50.0, 50.0)})
    step = high / 255 if relu else max(high / 127, -low / 128)
    torch.testing.assert_close(layers["a"].out_scale, torch.full((8,), step), rtol=1e-6, atol=0)
    assert torch.equal(layers["b"].in_scale, layers["a"].out_scale)
    largest = layers["a"].integer_weight().abs().flatten(1).amax(1)
    assert bool((largest <= 127).all() and (largest >= 63).all()), "a bit is what it costs at most"
    assert 63 <= int(layers["b"].integer_weight().abs().max()) <= 127, "the last map has one scale"


def test_ranges_that_are_powers_of_two_apart_leave_weights_as_they_are():
    """A map of one pixel each, 1×1 kernels: integer weights are multiples of those of the file."""
    torch.manual_seed(3)
    network = Network("n", (4, 8, 8), (Conv("a", 4, 6, 1), Conv("b", 6, 2, 1, relu=False)))
    model = NetworkModel(network).eval()
    whole = torch.randint(-15, 16, (6, 4, 1, 1)).float()
    with torch.no_grad():
        model.a.weight.copy_(whole / 255 * 2)
    layers = quantise_(model, network, None, given={"a": Given(0.0, 2.0), "b": Given(-9.0, 9.0)})
    first = layers["a"].integer_weight()[..., 0, 0]
    for n in range(6):
        factor = first[n].abs().max() / whole[n].abs().max()
        assert torch.equal(first[n], whole[n, :, 0, 0] * factor) and factor in (8, 16, 32, 64, 127)


def test_scores_reach_what_their_weights_allow_and_have_the_weights_of_the_file():
    torch.manual_seed(4)
    layers = (Conv("a", 2, 4, 3, relu=False), Dense("fc", 4 * 9, 5, relu=False))
    network = Network("n", (2, 5, 5), layers)
    whole = torch.randint(-120, 121, (5, 36)).float()
    for step, kept in ((0.01, True), (0.011, False), (None, False)):
        model = NetworkModel(network).eval()
        with torch.no_grad():
            model.fc.weight.copy_(whole * 0.01)
            bound = float((whole * 0.01).abs().sum(1).max() + model.fc.bias.abs().max())
        found = quantise_(model, network, None, given={"a": Given(-1.0, 1.0), "fc": Given(step=step)})["fc"]
        assert torch.equal(found.integer_weight(), whole) == kept
        assert 2**17 * float(found.out_scale[0]) >= bound > 2**13 * float(found.out_scale[0])
    model = NetworkModel(network).eval()
    with torch.no_grad():
        model.fc.weight.copy_(whole * 0.01)
        model.fc.weight[0, 0] += 0.005
    again = quantise_(model, network, None, given={"a": Given(-1.0, 1.0), "fc": Given(step=0.01)})["fc"]
    assert int(again.integer_weight().abs().max()) == 127, "trained weights are no multiples any more"


def test_layers_of_which_nothing_is_known_are_named():
    convolutions = [Conv(f"c{i}", 2, 2, 1) for i in range(7)]
    network = Network("n", (2, 5, 5), (*convolutions, Dense("fc", 50, 3, relu=False)))
    with pytest.raises(
        ConfigError, match=r"nothing says what range 'c0', 'c1', 'c3', 'c4' and 2 more should"
    ):
        made(network, {"c2": Given(0.0, 1.0)})


ROUNDED_ANEW = {(8, 8): (0.2, 0.6), (8, 10): (0.05, 0.15), (8, 12): (0.005, 0.05), (4, 8): (0.01, 0.03)}
"""Bits of a file's weights, bits of the spectra; least and most that a weight moves, in steps of the file."""


@pytest.mark.parametrize("bits", ROUNDED_ANEW)
def test_how_exact_the_spectra_of_whole_numbers_are(bits):
    """Root mean square over the weights of 3×3 kernels; the file's own rounding is 0.29."""
    torch.manual_seed(5)
    most = 2 ** (bits[0] - 1) - 1
    network = Network("n", (16, 16, 16), (Conv("a", 16, 32, 3, padding=1, relu=False),))
    model = NetworkModel(network).eval()
    images = torch.rand(2, 16, 16, 16)
    with torch.no_grad():
        model.a.weight.copy_((torch.randn(32, 16, 3, 3) * most / 3).round().clamp(-most, most))
        expected = model(images)
        top = float(expected.abs().max())
        found = quantise_(model, network, None, given={"a": Given(-top, top)}, weight_bits=bits[1])["a"]
        steps = found.scale.view(-1, 1, 1, 1) / found.in_scale.view(-1, 1, 1)
        found.layer.weight.copy_(found.integer_weight() * steps)
        moved = (found.layer(images) - expected).square().mean() / images.square().mean() / (16 * 9)
    least, largest = ROUNDED_ANEW[bits]
    assert least < float(moved.sqrt()) < largest
