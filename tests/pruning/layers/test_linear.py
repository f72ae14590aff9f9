"""The masked fully connected layer and its dot-mode word layout."""

import pytest
import torch
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning.layers.linear import MaskedLinear

CASES = [(2 * 4 * 5, (2, 4, 5)), (70, (2, 8, 8)), (5 * 64, (5, 8, 8)), (3 * 3 * 3, (3, 3, 3))]


@pytest.mark.parametrize(("features", "shape"), CASES)
def test_word_layout_is_the_hardware_dot_product(features, shape):
    """Σ re·re + im·im over channels and words of an input laid out as 8×8 pixel windows."""
    linear = nn.Linear(features, 6)
    layer = MaskedLinear.from_linear(linear, shape)
    c, h, w = shape
    x = torch.randn(features)
    if features == c * h * w:
        window = torch.zeros(c, 8, 8)
        window[:, :h, :w] = x.view(c, h, w)
    else:
        window = torch.zeros(c * 64)
        window[:features] = x
    words = layer.words(linear.weight).reshape(6, -1)  # word b = pixels (b // 4, 2 (b % 4) and + 1)
    torch.testing.assert_close(words @ window.flatten() + linear.bias, linear(x))
    torch.testing.assert_close(layer(x[None]), linear(x)[None])


def test_absent_words_are_marked_and_never_kept():
    layer = MaskedLinear.from_linear(nn.Linear(3 * 3 * 3, 4), (3, 3, 3))
    energy = layer.energy(layer.weight)
    assert int((energy[0] >= 0).sum()) == 3 * 3 * 2  # a row of 3 pixels takes 2 words
    assert torch.equal(energy >= 0, layer.mask)


def test_masked_words_take_no_part_and_get_no_gradient():
    layer = MaskedLinear.from_linear(nn.Linear(2 * 4 * 4, 3), (2, 4, 4))
    layer.mask[1, 0, 4] = False  # pixels (1, 0) and (1, 1)
    layer(torch.ones(1, 32)).sum().backward()
    assert (layer.weight.grad == 0).nonzero().tolist() == [[1, 4], [1, 5]]


def test_refuses_a_map_of_another_size():
    with pytest.raises(UnsupportedNetwork, match="takes 30 features"):
        MaskedLinear.from_linear(nn.Linear(30, 4), (2, 4, 4))
