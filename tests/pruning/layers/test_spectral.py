"""The spectral convolution against the spatial one: values, gradients, tile grid, masks."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from hw.contract.spectrum import pack
from hw.util.errors import UnsupportedNetwork
from pruning.layers import transform
from pruning.layers.spectral import SpectralConv2d


def pooled_crop(y: torch.Tensor, pool: int) -> torch.Tensor:
    """Without the last row and column that a 2×2 pooling drops."""
    h, w = (size - size % pool for size in y.shape[2:])
    return y[:, :, :h, :w]


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_equals_the_spatial_convolution(data):
    kernel = data.draw(st.integers(1, 7), "kernel")
    padding = data.draw(st.integers(0, kernel - 1), "padding")
    pool = data.draw(st.sampled_from([1, 2]), "pool")
    channels, outputs = data.draw(st.integers(1, 9), "in"), data.draw(st.integers(1, 9), "out")
    h, w = data.draw(st.integers(1, 23), "height"), data.draw(st.integers(1, 23), "width")
    assume(min(h, w) + 2 * padding - kernel + 1 >= pool)
    torch.manual_seed(data.draw(st.integers(0, 2**16), "seed"))
    conv = nn.Conv2d(channels, outputs, kernel, padding=padding)
    layer = SpectralConv2d.from_conv(conv, pool)
    x = torch.randn(2, channels, h, w)
    with torch.no_grad():
        expected, y = pooled_crop(conv(x), pool), layer(x)
    assert y.shape == expected.shape
    assert float((y - expected).abs().max()) <= 1e-5 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize(("kernel", "padding", "pool"), [(3, 1, 1), (5, 0, 2), (7, 3, 1)])
def test_input_gradient_equals_the_spatial_one(kernel, padding, pool):
    conv = nn.Conv2d(3, 4, kernel, padding=padding)
    layer = SpectralConv2d.from_conv(conv, pool)
    x = torch.randn(2, 3, 14, 14, requires_grad=True)
    expected = pooled_crop(conv(x), pool)
    probe = torch.randn_like(expected)
    (a,) = torch.autograd.grad((expected * probe).sum(), x)
    (b,) = torch.autograd.grad((layer(x) * probe).sum(), x)
    torch.testing.assert_close(a, b, rtol=0, atol=1e-5 * float(a.abs().max()))


def test_gradients_by_finite_differences():
    """A free operator, not one that started as a kernel: every word, dual-real ones too."""
    layer = SpectralConv2d.from_conv(nn.Conv2d(2, 2, 3, padding=1)).double()
    x = torch.randn(1, 2, 8, 7, dtype=torch.double, requires_grad=True)
    weight = torch.randn_like(layer.weight)

    def forward(x, weight):
        return layer.tiles_to_map(layer.products(layer.spectrum(x), weight), x.shape[2:])

    assert torch.autograd.gradcheck(forward, (x, weight.requires_grad_()))


def test_free_weights_are_circular_correlations_per_tile():
    """Against numpy's FFT, tile by tile, with weights that are no small kernel's."""
    rng = np.random.default_rng(3)
    layer = SpectralConv2d.from_conv(nn.Conv2d(2, 3, 5, bias=False))
    operators = np.fft.fft2(rng.standard_normal((3, 2, 8, 8)))
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(pack(operators)))
    x = rng.standard_normal((1, 2, 12, 16)).astype(np.float32)
    y = layer(torch.from_numpy(x)).detach().numpy()
    for top in range(0, 8, 4):
        for left in range(0, 12, 4):
            tile = np.fft.fft2(x[0, :, top : top + 8, left : left + 8])
            expected = np.fft.ifft2((operators * tile).sum(1)).real[:, :4, :4]
            np.testing.assert_allclose(y[0, :, top : top + 4, left : left + 4], expected, atol=2e-5)


def test_transforms_are_inverse_and_keep_energy():
    forward, inverse = transform.forward_matrix(), transform.inverse_matrix(8)
    torch.testing.assert_close(inverse @ forward, torch.eye(64, dtype=torch.double))
    layer = SpectralConv2d.from_conv(nn.Conv2d(3, 4, 5))
    kernel = torch.randn(4, 3, 5, 5)
    energy = layer.energy(transform.kernel_spectrum(kernel)).sum(-1)
    torch.testing.assert_close(energy, kernel.square().sum((2, 3)))


def test_masked_words_take_no_part_and_get_no_gradient():
    layer = SpectralConv2d.from_conv(nn.Conv2d(3, 4, 3))
    layer.mask[1, 2, 5] = layer.mask[0, 0, 0] = False
    x = torch.randn(2, 3, 9, 9)
    before = layer(x)
    before.square().sum().backward()
    assert not layer.weight.grad[~layer.mask].any() and layer.weight.grad[layer.mask].all()
    with torch.no_grad():
        layer.weight[~layer.mask] = 100.0
    assert torch.equal(layer(x), before)


def test_runs_in_bfloat16():
    conv = nn.Conv2d(4, 4, 3, padding=1)
    layer = SpectralConv2d.from_conv(conv).bfloat16()
    x = torch.randn(2, 4, 12, 12)
    y = layer(x.bfloat16())
    y.sum().backward()
    assert y.dtype == layer.weight.grad.dtype == torch.bfloat16
    expected = conv(x).detach()
    assert float((y.detach().float() - expected).abs().max()) < 0.05 * float(expected.abs().max())


@pytest.mark.parametrize(
    "conv",
    [
        nn.Conv2d(2, 2, 3, stride=3),
        nn.Conv2d(2, 2, 3, dilation=2),
        nn.Conv2d(2, 2, (3, 5)),
        nn.Conv2d(2, 2, 3, padding="same"),
        nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(2, 2, 8),
        nn.Conv2d(2, 2, 3, padding=3),
    ],
)
def test_refuses_what_the_hardware_cannot_do(conv):
    with pytest.raises(UnsupportedNetwork, match="'conv'"):
        SpectralConv2d.from_conv(conv)
