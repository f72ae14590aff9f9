"""Least squares by conjugate gradients: the solution, and never worse on what is held out."""

import pytest
import torch
from torch import nn

from hw.contract.network import Conv
from pruning.layers.linear import MaskedLinear
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d
from pruning.post_training.refit import refit_


def linear(masked: float = 0.0):
    layer = MaskedLinear.from_linear(nn.Linear(36, 5), (1, 6, 6))
    layer.mask &= torch.rand(layer.mask.shape) >= masked
    return layer, lambda n: torch.rand(n, 36)


def convolution(stride=1, pool=1, masked: float = 0.0):
    layer = SpectralConv2d(Conv("c", 3, 4, 3, padding=1, stride=stride, pool=pool))
    layer.mask &= torch.rand(layer.mask.shape) >= masked
    return layer, lambda n: torch.rand(n, 3, 13, 11)


def pointwise(masked: float = 0.0):
    layer = PointwiseConv2d(Conv("p", 6, 4, 1, stride=2, pointwise=True))
    layer.mask &= torch.rand(layer.mask.shape) >= masked
    return layer, lambda n: torch.rand(n, 6, 9, 7)


LAYERS = {
    "pointwise": pointwise,
    "linear": linear,
    "convolution": convolution,
    "stride": lambda **k: convolution(2, **k),
    "pool": lambda **k: convolution(1, 2, **k),
}


def error(layer, x, y):
    with torch.no_grad():
        return (layer(x) - y).transpose(0, 1).flatten(1).square().sum(1)


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_it_finds_the_weights_that_make_outputs_right(make):
    """From others, on inputs of very unequal size: real spectra have little at high frequencies."""
    layer, inputs = make()
    x = inputs(96) * torch.linspace(0.1, 1, 96).view(-1, *[1] * (inputs(1).dim() - 1))
    y = layer(x).detach()
    with torch.no_grad():
        layer.weight += 0.2 * torch.randn(layer.weight.shape)
        layer.bias += 0.2
    before = error(layer, x, y)
    refit_(layer, (x[24:].split(40), y[24:].split(40)), ([x[:24]], [y[:24]]))
    assert bool((error(layer, x, y) < 0.02 * before).all())


@pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)
def test_masked_words_stay_zero_and_no_channel_is_worse_on_what_is_held_out(make):
    """Targets are noise, and few: whatever is fitted is wrong on other images."""
    layer, inputs = make(masked=0.6)
    mask = layer.mask.clone()
    x, z = inputs(4), inputs(12)
    y, w = torch.randn_like(layer(x)), torch.randn_like(layer(z))
    before = error(layer, z, w)
    refit_(layer, ([x], [y]), ([z], [w]))
    assert bool((error(layer, z, w) <= before * (1 + 1e-4)).all())
    assert torch.equal(layer.mask, mask) and not bool((layer.words(layer.weight)[~mask] != 0).any())


def test_it_is_the_least_squares_solution():
    layer, inputs = linear()
    x, y = inputs(200), torch.randn(200, 5)
    refit_(layer, ([x], [y]), ([x], [y]))
    rows = torch.cat([x, torch.ones(200, 1)], 1)
    wanted = torch.linalg.lstsq(rows, y).solution
    best = (rows @ wanted - y).square().sum(0)
    assert torch.allclose(error(layer, x, y), best, rtol=1e-3)


def test_outputs_that_are_right_already_change_nothing():
    layer, inputs = convolution(masked=0.5)
    with torch.no_grad():
        layer.weight *= layer.gate(layer.mask)
    x = inputs(8)
    y, before = layer(x).detach(), layer.weight.detach().clone()
    refit_(layer, ([x[2:]], [y[2:]]), ([x[:2]], [y[:2]]))
    assert torch.allclose(layer.weight, before, atol=1e-5)
