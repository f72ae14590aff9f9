"""``SpectralConv2d``: a convolution that lives in the frequency domain, overlap-save, tile by tile.

::

    x ──▶ 8×8 tiles ──▶ D·x ──▶ per word b: W[b]·X[b], summed over input channels ──▶ I·Y ──▶ S×S pixels
    (B,C,H,W)   (64, C·T)   (32, 2·C, T)              (32, 2·N, T)                        side by side

T is the number of tiles of the batch. Three matrix products, all real; nothing is added across
tiles. The parameter is the packed Hermitian half spectrum, 32 words, never 64 bins: a pruned layer
is a free spectral operator whose support is the whole circular 8×8 tile, so the grid is part of
the model and is the one of :class:`hw.network.Conv`.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hw.errors import UnsupportedNetwork
from hw.network import Conv
from hw.words import MULTIPLICITY, TILE, WORDS
from pruning import transform


class SpectralConv2d(nn.Module):
    """Overlap-save convolution with spectral weights, stride 1, zero padding.

    Parameters: a :class:`hw.network.Conv` (channels, kernel, padding, and the pooling that follows,
    because it decides the tile stride). Kernels are at most 7×7.

    Members: ``weight`` (out, in, 32, 2), ``bias`` (out,), ``mask`` (out, in, 32) bool, the kept
    words, ``metric`` (32, 1), the squared norm of the 8×8 kernel per squared weight. Weights outside
    the mask take no part and receive no gradient.

    ``forward`` takes (B, in, H, W) and returns (B, out, H', W'), as ``nn.Conv2d`` but without an odd
    last row or column that the pooling behind the layer would drop.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    mask: torch.Tensor
    metric: torch.Tensor

    def __init__(self, spec: Conv) -> None:
        super().__init__()
        self.spec = spec
        n, c = spec.out_channels, spec.in_channels
        bound = 1 / math.sqrt(c * spec.kernel**2)
        kernel = torch.empty(n, c, spec.kernel, spec.kernel).uniform_(-bound, bound)
        self.weight = nn.Parameter(transform.kernel_spectrum(kernel))
        self.bias = nn.Parameter(torch.empty(n).uniform_(-bound, bound))
        self.register_buffer("mask", torch.ones(n, c, WORDS, dtype=torch.bool))
        constants = {
            "forward_transform": transform.forward_matrix(),
            "inverse_transform": transform.inverse_matrix(spec.stride),
            "structure": transform.product_structure(),
            "metric": torch.from_numpy(MULTIPLICITY / TILE**2)[:, None],
        }
        for name, value in constants.items():
            self.register_buffer(name, value.float(), persistent=False)

    @classmethod
    def from_conv(
        cls, conv: nn.Conv2d, pool: int = 1, *, name: str = "conv", relu: bool = True
    ) -> SpectralConv2d:
        """The same convolution in spectral form.

        ``pool`` is the max pooling that follows (1 or 2). Raises ``UnsupportedNetwork`` for strides,
        dilations, groups, rectangular kernels and non-zero padding modes.
        """
        k, p = conv.kernel_size, conv.padding
        supported = (
            conv.stride == (1, 1)
            and conv.dilation == (1, 1)
            and conv.groups == 1
            and conv.padding_mode == "zeros"
            and len(set(k)) == 1
            and isinstance(p, tuple)
            and len(set(p)) == 1
        )
        if not supported:
            raise UnsupportedNetwork(
                f"layer {name!r}: {conv} has no spectral form; it takes stride 1, no dilation, one group, "
                "a square kernel and equal zero padding on all sides"
            )
        spec = Conv(name, conv.in_channels, conv.out_channels, k[0], int(p[0]), relu, pool)
        layer = cls(spec).to(conv.weight)
        with torch.no_grad():
            layer.weight.copy_(transform.kernel_spectrum(conv.weight))
            layer.bias.copy_(conv.bias if conv.bias is not None else torch.zeros_like(layer.bias))
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W) -> (B, N, H', W')
        spectrum = self.spectrum(x)
        y = self.tiles_to_map(self.products(spectrum, self.weight), x.shape[2:])
        return y + self.bias.view(-1, 1, 1)

    def spectrum(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (32, 2·C, T): per word the real parts of all channels, then the imaginary."""
        tiles = transform.cut_tiles(x, self.spec.padding, self.spec.stride, self.grid(x.shape[2:]))
        return (self.forward_transform @ tiles).view(WORDS, 2 * self.spec.in_channels, -1)

    def products(self, spectrum: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """(32, 2·C, T) times kept words of ``weight`` (N, C, 32, 2), summed over C: (32, 2·N, T)."""
        n, c = weight.shape[:2]
        kept = weight * self.mask[..., None]
        matrix = torch.einsum("bqps,ncbs->bqnpc", self.structure, kept)
        return torch.bmm(matrix.reshape(WORDS, 2 * n, 2 * c), spectrum)

    def tiles_to_map(self, words: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """(32, 2·N, T) to (B, N, H', W') for an input of ``size`` (H, W)."""
        n, pool = self.spec.out_channels, self.spec.pool
        pixels = self.inverse_transform @ words.view(2 * WORDS, -1)
        y = transform.join_tiles(pixels, n, self.spec.stride, self.grid(size))
        height, width = (self.spec.conv_size(n) // pool * pool for n in size)
        return y[:, :, :height, :width]

    def grid(self, size: torch.Size) -> tuple[int, int]:
        """Tile rows and columns for an input of ``size`` (H, W)."""
        return self.spec.tiles((self.spec.in_channels, size[0], size[1]))

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A word mask (out, in, 32) in a shape that broadcasts to ``weight``."""
        return mask[..., None]

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, 32): every word's part of the squared norm of the 8×8 kernel (Parseval)."""
        return (self.metric * weight.square()).sum(-1)

    def words(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` in the word layout (out, in, 32, 2): here it is in it already."""
        return weight

    def extra_repr(self) -> str:
        s = self.spec
        return f"{s.in_channels}, {s.out_channels}, kernel={s.kernel}, padding={s.padding}, stride={s.stride}"
