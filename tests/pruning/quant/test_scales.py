"""Scales respect every field of the hardware: whatever the magnitudes, integers mean what the floats did.

The fields that bind are the 32 bits of a bias and the 31 of a shift; weights, words and pixels saturate.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hw.contract import formats
from hw.contract.network import Conv, Dense, Network, tiny
from hw.util.errors import ArtifactError, ConfigError
from pruning import NetworkModel, fold_batch_norms_, quantise_, to_artifact
from pruning.layers.transform import kernel_spectrum
from pruning.quant.fake_quant import FakeQuant
from pruning.quant.scales import LARGEST_BIAS
from sim import model as integer_model

SMALL = Network("small", (2, 8, 8), (Conv("conv", 2, 4, 3, padding=1), Dense("fc", 4 * 64, 3, relu=False)))
"""A hidden layer, whose channels have scales of their own, and a last one, whose outputs share one."""

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 2, 8, 8), np.uint8)


def real(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).float() / 255


def test_a_bias_much_larger_than_its_weights_stays_what_it_is():
    """A 3×3 convolution with weights of 1e-4 and a bias of 0.5, which would need 33 bits."""
    network = Network("map", (1, 8, 8), (Conv("conv", 1, 1, 3, padding=1),))
    model, pixels = NetworkModel(network), PIXELS[:, :1]
    with torch.no_grad():
        model.conv.weight.fill_(1e-4)
        model.conv.bias.fill_(0.5)
        expected = model(real(pixels))
        quantise_(model, network, real(pixels))
        fake_quantised = model(real(pixels))
    artifact = to_artifact(model, network)
    values = torch.from_numpy(integer_model.run(artifact, pixels) * artifact.score_scale)
    assert 2**30 < artifact.layers["conv"].bias[0] <= 2**31 - 1
    for found in (fake_quantised, values):
        assert float((found - expected).abs().max()) < 0.5 / 128


# --- many decades -----------------------------------------------------------------------------------

decades = st.floats(-12, 6)
channel = st.tuples(st.one_of(decades, st.none()), decades, st.sampled_from([-1, 1]))
"""Decimal logarithm of the weights (None: all zero), that of the bias, the bias's sign."""


@given(
    hidden=st.lists(channel, min_size=4, max_size=4),
    scores=st.lists(channel, min_size=3, max_size=3),
    bits=st.sampled_from([8, 12, 16]),
    seed=st.integers(0, 99),
)
@example([(-4, math.log10(0.5), 1)] * 4, [(-1, -1, 1)] * 3, 8, 0)  # every bias too wide
@example([(-1, -1, 1), (None, 6, -1), (-1, -1, 1), (-1, -1, 1)], [(-1, -1, 1)] * 3, 8, 0)  # never fires
@example([(-1, -1, 1)] * 4, [(-1, -1, 1), (None, 0, 1), (-1, -1, 1)], 8, 0)  # a class by its bias alone
@example([(None, 0, -1), (None, -10, 1), (0, 0, -1), (0, 0, 1)], [(None, 0, -1)] * 3, 16, 0)
@example([(-12, -12, 1)] * 4, [(-12, -12, 1)] * 3, 8, 0)
@example([(None, -12, -1)] * 4, [(None, 6, -1)] * 3, 8, 0)
@settings(deadline=None, max_examples=60, derandomize=True)
def test_integers_are_within_the_stated_bound_of_floats(hidden, scores, bits, seed):
    """Per channel of the map by :func:`map_bound`, and through it for the scores."""
    model = stretched(hidden, scores, seed)
    with torch.no_grad():
        exact = NetworkModel(SMALL).double().requires_grad_(False)
        exact.load_state_dict(model.state_dict())
        before = exact.conv(real(PIXELS).double())
        expected = before.relu(), exact(real(PIXELS).double())
        fake_quants = quantise_(model, SMALL, real(PIXELS), weight_bits=bits)
        fake_quantised = model(real(PIXELS)).double()
    artifact = to_artifact(model, SMALL)
    assert all(np.abs(w.bias.astype(np.int64)).max() <= 2**31 - 1 for w in artifact.layers.values())
    found = [torch.from_numpy(x.astype(np.float64)) for x in integer_model.maps(artifact, PIXELS)]
    found[0] *= fake_quants["conv"].out_scale.double().view(-1, 1, 1)
    found[1] *= artifact.score_scale
    error, bound = (found[0] - expected[0]).abs().amax((0, 2, 3)), map_bound(exact.conv, before, bits)
    assert (error <= bound).all(), (error, bound)
    folded = exact.fc.weight.abs().view(3, 4, 64) * fake_quants["conv"].out_scale.double().view(-1, 1)
    limit = formats.Format(bits).limits[1]
    step = max(
        float(folded.max()) / limit,  # of a weight
        float(exact.fc.bias.abs().max()) / 2**31,
        float(expected[1].abs().max()) / 2**14,
    )
    through = (exact.fc.weight.abs().view(3, 4, 64).sum(2) @ bound).max()
    bound = 1.01 * (float(through) + step * (256 * 255 / 2 + 2))
    for values in (found[1], fake_quantised):
        assert float((values - expected[1]).abs().max()) <= bound


def stretched(hidden, scores, seed: int) -> NetworkModel:
    """``SMALL`` with weights and biases of those magnitudes."""
    torch.manual_seed(seed)
    model = NetworkModel(SMALL)
    with torch.no_grad():
        for layer, channels in ((model.conv, hidden), (model.fc, scores)):
            for n, (weights, bias, sign) in enumerate(channels):
                layer.weight[n] *= 0 if weights is None else 10.0**weights
                layer.bias[n] = sign * 10.0**bias
    return model


def map_bound(conv: torch.nn.Conv2d, before: torch.Tensor, bits: int) -> torch.Tensor:
    """(out,): how far integers of the first layer may be from floats; ``before`` are those ahead of the ReLU.

    As ``docs/numbers.md`` says. A part of a weight word is off by half a step, a part of X by 2.3
    (``tests/sim/model/test_fft.py``); |X|, summed over a tile's parts, is at most 8·64·255·2, and both are
    divided by 128 on the way to a pixel.
    """
    top, reach = before.relu().amax((0, 2, 3)), before.abs().amax((0, 2, 3))
    seldom = float(top.max()) / 1000 or 1e-12
    top = torch.maximum(top, torch.where(reach > 0, reach.clamp(max=seldom), seldom))
    largest = kernel_spectrum(conv.weight).abs().flatten(1).amax(1) / 255
    limit = formats.Format(bits).limits[1]
    most = float(top.max())
    alone = conv.bias.abs().clamp(min(1e-6, most / 1000), most)
    needed = torch.where(largest > 0, largest, alone) / limit
    scale = torch.maximum(needed, 128 * conv.bias.abs() / 2**31)
    step = torch.maximum(2 * top / 255, scale)
    weights = conv.in_channels * (1020 * scale + 2.3 * largest)
    # Words are cut at 1024 output steps: where a channel goes far below zero, its ReLU may see what is left.
    cut = conv.weight.abs().flatten(1).sum(1) + conv.bias.abs() > 4 * top
    return 1.01 * torch.where(cut, 255 * step, 2 * step + weights) + 1e-30


# --- what one channel may cost the others -----------------------------------------------------------


def scores_of(model: NetworkModel, network: Network, images: torch.Tensor) -> np.ndarray:
    quantise_(model, network, images)
    artifact = to_artifact(model, network)
    return integer_model.run(artifact, (images * 255).round().byte().numpy()) * artifact.score_scale


def edited(change, images: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Scores of ``tiny()`` after ``change``, as floats and as integers."""
    torch.manual_seed(7)
    model = NetworkModel(tiny(), batch_norm=True).eval()
    with torch.no_grad():
        model.conv2_norm.bias.normal_()
        change(model)
        fold_batch_norms_(model, tiny())
        expected = model(images).numpy()
    return expected, scores_of(model, tiny(), images)


def tiny_gamma(model: NetworkModel) -> None:
    model.conv1_norm.weight[2], model.conv1_norm.bias[2] = 1e-7, 0.3


def zero_gamma(model: NetworkModel) -> None:
    model.conv1_norm.weight[2], model.conv1_norm.bias[2] = 0.0, -1e5


def biased_class(model: NetworkModel) -> None:
    model.fc2.weight[1], model.fc2.bias[1] = 0.0, 0.5


@pytest.mark.parametrize("change", [tiny_gamma, zero_gamma, biased_class])
def test_one_channel_does_not_cost_the_network(change, tiny_batch):
    expected, found = edited(change, tiny_batch)
    assert np.abs(found - expected).max() < 0.05 * expected.std()


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**-10, 2.0**20])
def test_a_rescaled_channel_is_the_same_channel(factor, tiny_batch):
    """A ReLU lets a factor through, and the next layer's weights take it back."""

    def rescale(model: NetworkModel) -> None:
        model.conv1_norm.weight[1] *= factor
        model.conv1_norm.bias[1] *= factor
        model.conv2.weight[:, 1] /= factor

    expected, found = edited(rescale, tiny_batch)
    _, plain = edited(lambda model: None, tiny_batch)
    if factor < 1:
        np.testing.assert_array_equal(found, plain)
    else:  # all others seem to fire seldom
        assert np.abs(found - expected).max() < 0.1 * expected.std()


# --- after training ----------------------------------------------------------------------------------


def fake_quantised_tiny(images: torch.Tensor) -> tuple[NetworkModel, dict[str, FakeQuant]]:
    model = NetworkModel(tiny())
    return model, dict(quantise_(model, tiny(), images))


def test_a_bias_that_training_moves_beyond_its_field_stays_at_the_limit(tiny_batch):
    """In fake-quant, in its gradient and in the artifact alike."""
    model, fake_quants = fake_quantised_tiny(tiny_batch)
    bias = fake_quants["conv2"].layer.bias
    with torch.no_grad():
        bias[0], bias[1] = 1e9, -1e9
    steps = fake_quants["conv2"].integer_bias()
    assert steps[0] == LARGEST_BIAS and steps[1] == -(2.0**31)
    (gradient,) = torch.autograd.grad(steps.sum(), bias)
    assert gradient[0] == gradient[1] == 0 and (gradient[2:] > 0).all()
    written = to_artifact(model, tiny()).layers["conv2"].bias
    assert written.dtype == np.int32 and written.tolist() == steps.tolist()


@pytest.mark.parametrize("member", ["weight", "bias"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_none_become_no_artifact(tiny_batch, member, value):
    model, fake_quants = fake_quantised_tiny(tiny_batch)
    with torch.no_grad():
        getattr(fake_quants["fc1"].layer, member).view(-1)[3] = value
    with pytest.raises(ConfigError, match=f"layer 'fc1': its {member} holds NaN or infinity"):
        to_artifact(model, tiny())
    broken = NetworkModel(tiny())
    with torch.no_grad():
        broken.get_submodule("conv2").get_parameter(member).view(-1)[0] = value
    with pytest.raises(ConfigError, match=f"layer 'conv2': its {member} holds NaN or infinity"):
        quantise_(broken, tiny(), tiny_batch)


def test_scales_that_no_float_has_are_refused(tiny_batch):
    model = NetworkModel(tiny())
    with torch.no_grad():
        model.fc1.bias.fill_(2e38)
        model.fc2.weight.zero_()
    with pytest.raises(ConfigError, match=r"layer 'fc1'.*rescale"):
        quantise_(model, tiny(), tiny_batch)
    with torch.no_grad():
        model.fc1.bias.zero_()
        model.conv2.weight.fill_(3e38)
    with pytest.raises(
        ConfigError, match="layer 'conv2': on the calibration images its outputs are not finite"
    ):
        quantise_(model, tiny(), tiny_batch)


def test_a_shift_that_training_never_moves_is_checked_all_the_same(tiny_batch):
    model, fake_quants = fake_quantised_tiny(tiny_batch)
    fake_quants["conv1"].shift[0] = 256  # as a byte: 0
    with pytest.raises(ArtifactError, match=r"conv1.shift reaches from \d+ to 256, its 8 bits hold 0 to 255"):
        to_artifact(model, tiny())
    fake_quants["conv1"].shift[0] = 32
    with pytest.raises(ArtifactError, match=r"conv1.shift is \d+..32"):
        to_artifact(model, tiny())
