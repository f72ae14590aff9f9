"""How spectra lie in memory."""

import torch

from hw.contract.network import Conv
from hw.contract.spectrum import WORDS
from pruning.layers.layout import channels_first, stored_words_first, words_first
from pruning.layers.spectral import SpectralConv2d

SPECTRUM = torch.arange(3 * 5 * WORDS * 2).view(3, 5, WORDS, 2)


def test_words_first_and_back_are_views():
    moved = words_first(SPECTRUM)
    assert moved.shape == (WORDS, 2, 3, 5) and moved[7, 1, 2, 4] == SPECTRUM[2, 4, 7, 1]
    assert torch.equal(channels_first(moved), SPECTRUM)
    assert words_first(SPECTRUM[..., 0]).shape == (WORDS, 3, 5)
    assert moved.data_ptr() == channels_first(moved).data_ptr() == SPECTRUM.data_ptr()


def test_a_layer_keeps_weights_mask_and_gradients_words_first():
    """The matrices of the products are there as they are."""
    assert torch.equal(stored_words_first(SPECTRUM), SPECTRUM)
    layer = SpectralConv2d(Conv("conv", 5, 3, 3, 1))
    layer(torch.ones(2, 5, 9, 9)).sum().backward()
    for stored in (stored_words_first(SPECTRUM), layer.weight, layer.mask, layer.weight.grad):
        assert words_first(stored).is_contiguous()
