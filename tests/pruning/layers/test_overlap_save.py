"""The layer in the frequency domain: its gradients, and that the parts of a batch change nothing."""

import pytest
import torch
from torch import nn

from pruning.layers import overlap_save
from pruning.layers.spectral import SpectralConv2d


def layer_and_map(images, kernel=3, pool=1):
    torch.manual_seed(5)
    layer = SpectralConv2d.from_conv(nn.Conv2d(2, 3, kernel, padding=1), pool).double()
    with torch.no_grad():
        layer.weight.normal_()
        layer.mask.copy_(torch.rand(layer.mask.shape) < 0.5)
    return layer, torch.randn(images, 2, 9, 7, dtype=torch.double, requires_grad=True)


@pytest.mark.parametrize("cache", [1, overlap_save.CACHE])
@pytest.mark.parametrize(("kernel", "pool"), [(3, 1), (5, 2)])
def test_gradients_by_finite_differences(monkeypatch, cache, kernel, pool):
    monkeypatch.setattr(overlap_save, "CACHE", cache)
    layer, x = layer_and_map(3, kernel, pool)

    def forward(x, weight, bias):
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert torch.autograd.gradcheck(forward, (x, layer.weight, layer.bias))


def test_it_is_the_operator_of_fake_quant():
    """Which takes its way word by word, with roundings in between."""
    layer, x = layer_and_map(2)
    words = layer.products(layer.spectrum(x), layer.weight)
    expected = layer.tiles_to_map(words, x.shape[2:]) + layer.bias.view(-1, 1, 1)
    torch.testing.assert_close(layer(x), expected)


def test_parts_of_a_batch_change_nothing(monkeypatch):
    layer, x = layer_and_map(5)
    found = []
    for cache, parts in ((1, 5), (2 * 64 * 4 * (2 + 2 * 3) * 8, 3), (overlap_save.CACHE, 1)):
        monkeypatch.setattr(overlap_save, "CACHE", cache)
        taken = []
        monkeypatch.setattr(overlap_save.Operator, "spectrum", counted(overlap_save.Operator.spectrum, taken))
        layer.zero_grad()
        y = layer(x)
        (dx,) = torch.autograd.grad(y.square().sum(), x, retain_graph=True)
        y.square().sum().backward()
        found.append((y, dx, layer.weight.grad, layer.bias.grad))
        monkeypatch.undo()
        assert len(taken) == parts and sum(taken) == 5
    for other in found[1:]:
        for one, same in zip(found[0], other, strict=True):
            torch.testing.assert_close(one, same)


def counted(method, taken):
    def spectrum(operator, x):
        taken.append(len(x))
        return method(operator, x)

    return spectrum
