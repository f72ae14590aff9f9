"""Pointwise layers in integers: fake-quant is the integer model exactly, and both are close to floats.

Nothing is rounded in front of the drain, so the bounds are those of a sum of products.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw.contract import formats
from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ConfigError
from pruning import MagnitudeConfig, NetworkModel, patterns, prune_, quantise_, to_artifact
from pruning.quant.additions import absorb_additions_
from sim import model as integer_model

PIXELS = np.random.default_rng(3).integers(0, 256, (5, 3, 9, 10), np.uint8)


def real(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).float() / 255


def point(name: str, channels: int, out: int, **fields) -> Conv:
    return Conv(name, channels, out, 1, pointwise=True, **fields)


def network(*layers: Conv) -> Network:
    return Network("points", (3, 9, 10), layers)


CASES = {
    "plain": network(point("a", 3, 12), point("b", 12, 7, relu=False)),
    "stride": network(point("a", 3, 12, stride=2), point("b", 12, 7, relu=False, stride=2)),
    "pooling": network(point("a", 3, 12, pool=2), point("b", 12, 7, relu=False)),
    "overlapping": network(
        point("a", 3, 12, pool=2, pool_size=3, pool_padding=1, pool_end_padding=0),
        point("b", 12, 7, pool_size=3, pool_padding=1, pool_end_padding=1, relu=False),
    ),
    "groups": network(point("a", 3, 12, groups=3), point("b", 12, 8, groups=4)),
    "leaky": network(point("a", 3, 12, leak=2, pool=2), point("b", 12, 7, leak=1)),
    "clip": network(point("a", 3, 12, clip=0.4), point("b", 12, 7)),
    "added": network(
        point("a", 3, 12, relu=False),
        point("b", 12, 7),
        point("c", 19, 12, added=True, sources=("b", "a")),
    ),
}


@pytest.mark.parametrize("weight_bits", [8, 5])
@pytest.mark.parametrize("case", CASES)
def test_fake_quant_is_the_integer_model(case, weight_bits):
    torch.manual_seed(sum(map(ord, case)))
    net = CASES[case]
    model = NetworkModel(net)
    if "groups" not in case:
        chosen = {
            layer.name: None if layer is net.layers[0] else patterns.quarter("adaptive")
            for layer in net.layers
        }
        prune_(model, net, MagnitudeConfig(None, chosen)).finalise()
    with torch.no_grad():
        quantise_(model, net, real(PIXELS[:2]), weight_bits=weight_bits)  # the others saturate here and there
        artifact = to_artifact(model, net)
        fake_quantised = (model(real(PIXELS)) / artifact.score_scale).numpy()
    found = integer_model.run(artifact, PIXELS)
    assert np.abs(fake_quantised - found).max() < 1e-3
    assert len(np.unique(found)) > 2 * weight_bits - 4


@pytest.mark.parametrize(("weight", "saturates"), [(0.4, True), (2.0, False)])
def test_a_clip_is_a_saturation_where_no_input_alone_reaches_it(weight, saturates):
    """A step of one input makes at most one of the output, and 255 of them are a clip of 0.6."""
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(3, 1)
    net = Network("clipped", (3, 16, 16), (point("a", 3, 2, clip=0.6), point("b", 2, 1)))
    model = NetworkModel(net)
    with torch.no_grad():
        model.a.weight.fill_(weight)
        model.a.bias.zero_()
        layer = quantise_(model, net, real(pixels))["a"]
    largest = float(255 * layer.out_scale[0])
    assert largest == pytest.approx(0.6) if saturates else largest > 1.9
    assert next(integer_model.maps(to_artifact(model, net), pixels)).max() == 255


def test_with_transforms_on_both_sides_it_is_close_to_floats():
    net = network(
        Conv("in", 3, 8, 3, padding=1),
        point("a", 8, 12),
        Conv("out", 12, 6, 3, padding=1, stride=2, relu=False),
    )
    model = NetworkModel(net)
    with torch.no_grad():
        expected = model(real(PIXELS)).numpy()
        quantise_(model, net, real(PIXELS), spectrum_bits=12)
    artifact = to_artifact(model, net)
    assert not artifact.layers["a"].word_shift.any() and artifact.layers["in"].word_shift.any()
    error = integer_model.run(artifact, PIXELS) * artifact.score_scale - expected
    assert np.abs(error).max() < 0.05 * np.abs(expected).max()


def test_spectra_of_8_bits_are_refused_where_pixels_have_9():
    net = network(point("a", 3, 4))
    with pytest.raises(
        ConfigError, match="9 or more, not 8: the pointwise layer 'a' takes pixels of 0 to 255"
    ):
        quantise_(NetworkModel(net), net, real(PIXELS), spectrum_bits=8)


@pytest.mark.parametrize(("weight_bits", "most"), [(8, 1), (10, 0)])
def test_a_copy_is_exact_where_weights_have_the_bits(weight_bits, most):
    """127/128 is as close to one as 8 bits come; with 10, 511/512 rounds every pixel to itself."""
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    net = Network("copy", (1, 16, 16), (point("copy", 1, 1),))
    model = NetworkModel(net)
    with torch.no_grad():
        model.copy.weight.fill_(1)
        model.copy.bias.zero_()
        quantise_(model, net, real(pixels), weight_bits=weight_bits)
    artifact = to_artifact(model, net)
    copied = integer_model.run(artifact, pixels) * artifact.score_scale * 255
    assert np.abs(copied - pixels).max() <= (0.51 if most else 0.5)
    if not most:
        assert np.array_equal(integer_model.run(artifact, pixels), pixels)


def test_what_is_added_takes_a_weight_that_is_one():
    net = CASES["added"]
    model = NetworkModel(net)
    images = real(PIXELS)
    with torch.no_grad():
        expected = model(images)
        absorb_additions_(model, net)
        torch.testing.assert_close(model(images), expected)
    assert torch.equal(model.c.weight[:, 7:, 0, 0], torch.eye(12))
    assert torch.equal(model.c.mask[:, 7:, 0], torch.eye(12, dtype=torch.bool))


# --- the bound of docs/numbers.md ----------------------------------------------------------------------

decades = st.floats(-12, 6)
channel = st.tuples(st.one_of(decades, st.none()), decades, st.sampled_from([-1, 1]))
"""Decimal logarithm of the weights (None: all zero), that of the bias, the bias's sign."""

SMALL = network(point("a", 3, 4))
HEAD = replace(SMALL, layers=(*SMALL.layers, Dense("fc", 4 * 90, 3, relu=False)))


@given(
    channels=st.lists(channel, min_size=4, max_size=4),
    bits=st.sampled_from([2, 8, 16]),
    seed=st.integers(0, 99),
)
@example([(-4, -0.3, 1)] * 4, 8, 0)
@example([(-1, -1, 1), (None, 6, -1), (-1, -1, 1), (-1, -1, 1)], 8, 0)
@example([(None, -10, 1), (0, 0, -1), (0, 0, 1), (0, 3, -1)], 16, 0)
@example([(-12, -12, 1)] * 4, 8, 0)
@settings(deadline=None, max_examples=40, derandomize=True)
def test_integers_are_within_the_stated_bound_of_floats(channels, bits, seed):
    torch.manual_seed(seed)
    model = NetworkModel(HEAD)
    with torch.no_grad():
        for n, (weights, bias, sign) in enumerate(channels):
            model.a.weight[n] *= 0 if weights is None else 10.0**weights
            model.a.bias[n] = sign * 10.0**bias
        exact = NetworkModel(SMALL).double().requires_grad_(False)
        exact.a.load_state_dict(model.a.state_dict())
        before = exact.a(real(PIXELS).double())
        layer = quantise_(model, HEAD, real(PIXELS), weight_bits=bits)["a"]
    found = torch.from_numpy(next(integer_model.maps(to_artifact(model, HEAD), PIXELS)).astype(np.float64))
    step, scale = layer.out_scale.double(), layer.scale.double()
    error = (found * step.view(-1, 1, 1) - before.relu()).abs().amax((0, 2, 3))
    bound = 1.01 * ((1 / 2 + 1 / 256) * step + (127.5 * 3 + 1) * scale) + 1e-30
    assert (error <= bound).all(), (error, bound)
    top, reach = before.relu().amax((0, 2, 3)), before.abs().amax((0, 2, 3))
    largest = exact.a.weight.abs().flatten(1).amax(1) / 255 / formats.Format(bits).limits[1]
    seldom = torch.minimum(reach, top.max() / 1000).clamp(min=1e-12)
    needed = torch.maximum(largest, exact.a.bias.abs() / (2**31 - 2**7))
    finest = torch.maximum(2 * torch.maximum(top, seldom) / 255, 128 * needed)
    some = exact.a.weight.flatten(1).any(1)
    assert (step[some] <= 1.01 * finest[some]).all(), (step, finest)
