"""Saliencies are what is lost when a word goes and all others are refitted: measured by doing so."""

import pytest
import torch
from torch import nn

from hw.contract.network import Conv
from hw.contract.spectrum import DUAL_REAL, WORDS
from pruning.layers.linear import MaskedLinear
from pruning.layers.pointwise import PointwiseConv2d
from pruning.layers.spectral import SpectralConv2d
from pruning.post_training import saliency
from pruning.post_training.saliency import Moments, saliencies


@pytest.fixture(autouse=True)
def _undamped(monkeypatch):
    monkeypatch.setattr(saliency, "DAMPING", 0.0)


def lost(inputs, column, weight):
    """Mean square that no others, and no constant, of (samples, inputs) can make up for, if a column goes."""
    others = torch.cat([inputs[:, :column], inputs[:, column + 1 :], torch.ones_like(inputs[:, :1])], 1)
    gone = inputs[:, column : column + 1] * weight
    rest = gone - others @ torch.linalg.lstsq(others, gone).solution
    return float(rest.abs().square().sum()) / len(inputs)


def test_features_of_a_fully_connected_layer():
    layer = MaskedLinear.from_linear(nn.Linear(12, 2), (3, 2, 2)).double()
    x = torch.rand(90, 12, dtype=torch.float64) @ torch.rand(12, 12, dtype=torch.float64)
    moments = Moments(layer)
    for part in x.split(40):
        moments.add(part)
    costs = moments.costs()
    for feature in (0, 5, 11):
        weight = layer.weight[1, feature].detach()
        assert float(weight**2 * costs[feature]) == pytest.approx(lost(x, feature, weight), rel=1e-6)


def test_words_of_a_convolution():
    """Complex words, and both parts of dual-real ones, which are numbers of their own."""
    layer = SpectralConv2d(Conv("c", 4, 2, 3, padding=1)).double()
    x = torch.rand(20, 4, 12, 12, dtype=torch.float64)
    x[:, 1] += 0.8 * x[:, 0]
    words = layer.spectrum(x).view(WORDS, 2, -1, 4)
    model = nn.Sequential(layer)
    found = saliencies(model, {"c": layer}, x, 7)["c"]
    for word in (1, 9, *DUAL_REAL):
        weight = layer.weight[1, 1, word].detach()
        if word in DUAL_REAL:
            wanted = sum(lost(words[word, part], 1, weight[part]) for part in (0, 1))
        else:
            wanted = lost(torch.complex(*words[word]), 1, torch.complex(weight[0], weight[1]))
        assert float(found[1, 1, word]) == pytest.approx(wanted * float(layer.metric[word]), rel=1e-6)


def test_pixels_of_a_pointwise_layer():
    layer = PointwiseConv2d(Conv("p", 4, 2, 1, stride=2, pointwise=True)).double()
    x = torch.rand(20, 4, 9, 9, dtype=torch.float64)
    x[:, 1] += 0.8 * x[:, 0]
    found = saliencies(nn.Sequential(layer), {"p": layer}, x, 7)["p"]
    wanted = lost(x[:, :, ::2, ::2].transpose(0, 1).flatten(1).T, 1, layer.weight[1, 1, 0, 0].detach())
    assert found.shape == (2, 4, 1) and float(found[1, 1, 0]) == pytest.approx(wanted, rel=1e-6)


def test_channels_that_are_not_connected_have_none():
    layer = SpectralConv2d(Conv("c", 4, 4, 3, padding=1, groups=2))
    found = saliencies(nn.Sequential(layer), {"c": layer}, torch.rand(8, 4, 12, 12), 8)["c"]
    assert bool((found[0, 2:] == -1).all()) and bool((found[0, :2] >= 0).all())


def test_long_inputs_are_split(monkeypatch):
    """And nothing but what belongs to two parts is lost: here they have nothing in common."""
    layer = MaskedLinear.from_linear(nn.Linear(8, 2), (2, 2, 2)).double()
    x = torch.randn(4000, 8, dtype=torch.float64)
    whole, parts = Moments(layer), Moments(layer)
    whole.add(x)
    monkeypatch.setattr(saliency, "MOST", 3)
    parts.add(x)
    assert len(parts.products) == 3
    assert torch.allclose(whole.costs(), parts.costs(), rtol=0.02)


def test_a_dark_channel_is_damped_not_free(monkeypatch):
    monkeypatch.setattr(saliency, "DAMPING", 0.01)
    layer = MaskedLinear.from_linear(nn.Linear(8, 2), (2, 2, 2))
    x = torch.rand(50, 8)
    x[:, 3] = 0
    moments = Moments(layer)
    moments.add(x)
    costs = moments.costs()
    assert 0 < costs[3] < 0.1 * costs.mean() and bool(torch.isfinite(costs).all())
