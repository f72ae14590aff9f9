"""``SpectralConv2d``: a convolution that lives in the frequency domain, overlap-save, tile by tile.

::

    x ──▶ 8×8 tiles ──▶ D·x ──▶ per word b: X[b]·W[b], summed over input channels ──▶ I·Y ──▶ S×S pixels
    (B,C,H,W)   (64, T, C)    (32, 2·T, C)             (32, 2·T, N)                          side by side

T is the number of tiles of the batch. All products are real matrix products; nothing is added across
tiles. The parameter is the packed Hermitian half spectrum, 32 words, never 64 bins: a pruned layer
is a free spectral operator whose support is the whole circular 8×8 tile, so the grid is part of
the model and is the one of :class:`hw.contract.network.Conv`. Its order in memory is that of
:mod:`pruning.layers.layout`.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.network import Conv
from hw.contract.spectrum import MULTIPLICITY, TILE, WORDS
from pruning.layers import products, tiles, transform
from pruning.layers.convolutions import spec_of, whole_kernel
from pruning.layers.layout import channels_first, stored_words_first, words_first
from pruning.layers.overlap_save import Operator, overlap_save


class SpectralConv2d(nn.Module):
    """Overlap-save convolution with spectral weights, stride 1 or 2, zero padding.

    Parameters: a :class:`hw.contract.network.Conv` (channels, kernel, padding, and the pooling that follows,
    because it decides the tile stride). Kernels are at most 7×7. What the layer adds is not added here,
    unless the weights do it (:func:`pruning.quant.additions.absorb_additions_`).

    Members: ``weight`` (out, in, 32, 2), ``bias`` (out,), ``mask`` (out, in, 32) bool, the kept
    words, ``metric`` (32, 1), the squared norm of the 8×8 kernel per squared weight. Weights outside
    the mask take no part and receive no gradient.

    ``forward`` takes (B, in, H, W) and returns (B, out, H', W'), as ``nn.Conv2d`` but without an odd
    last row or column that the pooling after the layer would drop. Where pooling windows overlap it returns
    tiles side by side, for :func:`pruning.layers.tiles.pooled`.
    """

    weight: nn.Parameter
    bias: nn.Parameter
    mask: torch.Tensor
    metric: torch.Tensor
    awaits_finalise = False
    """Whether pruning has begun and the mask is not that of its end yet."""

    def __init__(self, spec: Conv) -> None:
        super().__init__()
        self.spec = spec
        n, c = spec.out_channels, spec.in_channels
        bound = 1 / math.sqrt(c * spec.kernel**2)
        kernel = torch.empty(n, c, spec.kernel, spec.kernel).uniform_(-bound, bound)
        self.weight = nn.Parameter(stored_words_first(transform.kernel_spectrum(kernel)))
        self.bias = nn.Parameter(torch.empty(n).uniform_(-bound, bound))
        connected = torch.from_numpy(spec.connected)[:, :, None]
        self.register_buffer("mask", stored_words_first(connected.repeat(1, 1, WORDS)))
        inverse_real, inverse_imaginary = transform.inverse_pair(self.side, spec.stride)
        constants = {
            "forward_transform": transform.forward_matrix(),
            "inverse_transform": transform.inverse_matrix(self.side, spec.stride),
            "inverse_real": inverse_real,
            "inverse_imaginary": inverse_imaginary,
            "to_kernel": transform.kernel_matrix(),
            "metric": torch.from_numpy(MULTIPLICITY / TILE**2)[:, None],
        }
        for name, value in constants.items():
            self.register_buffer(name, value.float(), persistent=False)
        self._gate_state: object = None
        self._gate_value: torch.Tensor | None = None

    @classmethod
    def from_conv(
        cls,
        conv: nn.Conv2d,
        pool: int = 1,
        *,
        name: str = "conv",
        relu: bool = True,
        like: Conv | None = None,
    ) -> SpectralConv2d:
        """The same convolution in spectral form; parameters and errors are those of
        :func:`pruning.layers.convolutions.spec_of`."""
        spec = spec_of(conv, pool, name=name, relu=relu, like=like)
        layer = cls(spec).to(conv.weight)
        with torch.no_grad():
            layer.weight.copy_(transform.kernel_spectrum(whole_kernel(conv, spec)))
            layer.bias.copy_(conv.bias if conv.bias is not None else torch.zeros_like(layer.bias))
        return layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W) -> (B, N, H', W')
        x = _autocast(x)
        return self._in_space(x) if self._small(x.shape[2:]) else self._in_frequency(x)

    def _in_frequency(self, x: torch.Tensor) -> torch.Tensor:
        """Tile by tile. The sums of a complex product are part of the inverse transform."""
        transforms = (self.forward_transform, self.inverse_real, self.inverse_imaginary)
        operator = Operator(
            self.spec.tile_padding,
            self.spec.tile_stride,
            self.grid(x.shape[2:]),
            self.side,
            self._outputs(x.shape[2:]),
            *(matrix.to(x.dtype) for matrix in transforms),
        )
        return overlap_save(x, self.weight, self.bias, self._gate(x.dtype), operator)

    def _in_space(self, x: torch.Tensor) -> torch.Tensor:
        """With one tile: an ordinary convolution by those pixels of the circular kernel that take part.

        Output i reads input r through the kernel's pixel r + padding - i.
        """
        step = self.spec.stride
        outputs = [(n - 1) * step + 1 for n in self._outputs(x.shape[2:])]
        rows, columns = (
            torch.arange(self.spec.padding - out + 1, self.spec.padding + size) % TILE
            for out, size in zip(outputs, x.shape[2:], strict=True)
        )
        taps = (rows[:, None] * TILE + columns).flatten()
        words = self.weight.to(x.dtype)
        parts = words_first(words)
        if (gate := self._gate(x.dtype)) is not None:
            parts = parts * gate[:, None]
        parts = parts.reshape(2 * WORDS, -1)
        kernel = (self.to_kernel[taps].to(x.dtype) @ parts).view(len(rows), len(columns), *words.shape[:2])
        bias = self.bias.to(x.dtype)
        y = F.conv2d(x, channels_first(kernel), bias, padding=[n - 1 for n in outputs])
        return y[:, :, ::step, ::step]

    def _small(self, size: torch.Size) -> bool:
        """Whether a convolution in space takes fewer products than the 4 per word of a tile: 2×2 maps."""
        if self.spec.overlaps:
            return False
        outputs = [(n - 1) * self.spec.stride + 1 for n in self._outputs(size)]
        taps = [n + out - 1 for n, out in zip(size, outputs, strict=True)]
        return (
            self.grid(size) == (1, 1)
            and max(taps) <= TILE
            and math.prod(taps) * math.prod(outputs) <= 4 * WORDS
        )

    def spectrum(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (32, 2·T, C): per word the real parts of all tiles, then the imaginary."""
        pixels = tiles.cut(x, self.spec.tile_padding, self.spec.tile_stride, self.grid(x.shape[2:]))
        parts = self.forward_transform.to(x.dtype) @ pixels.view(TILE * TILE, -1)
        return parts.view(WORDS, -1, self.spec.in_channels)

    def products(self, spectrum: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """(32, 2·T, C) times kept words of ``weight`` (N, C, 32, 2), summed over C: (32, 2, T, N)."""
        return products.complex_sum(*products.by_parts(spectrum, weight, self._gate(spectrum.dtype)))

    def tiles_to_map(self, words: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """(32, 2, T, N) to (B, N, H', W') for an input of ``size`` (H, W)."""
        return self._to_map(self.inverse_transform @ words.reshape(2 * WORDS, -1), size)

    def _to_map(self, pixels: torch.Tensor, size: torch.Size) -> torch.Tensor:
        """(side², T·N) to (B, N, H', W')."""
        pixels = pixels.view(self.side**2, -1, self.spec.out_channels)
        return tiles.join(pixels, self.side, self.grid(size), self._outputs(size))

    @property
    def side(self) -> int:
        """Rows and columns that a tile adds to the result."""
        return self.spec.tile_side if self.spec.overlaps else self.spec.tile_outputs * self.spec.pool

    def _outputs(self, size: torch.Size) -> tuple[int, int]:
        """Rows and columns of the result for an input of ``size`` (H, W)."""
        if self.spec.overlaps:
            rows, columns = self.grid(size)
            return rows * self.side, columns * self.side
        _, height, width = self.spec.output((self.spec.in_channels, size[0], size[1]))
        return height * self.spec.pool, width * self.spec.pool

    def _gate(self, dtype: torch.dtype) -> torch.Tensor | None:
        """The mask as (32, N, C) of ``dtype``, or None while every word is kept: made after every change."""
        state = (id(self.mask), self.mask._version, dtype)
        if self._gate_state != state:
            every = bool(self.mask.all())
            self._gate_state = state
            self._gate_value = None if every else words_first(self.mask).to(dtype)
        return self._gate_value

    def grid(self, size: torch.Size) -> tuple[int, int]:
        """Tile rows and columns for an input of ``size`` (H, W)."""
        return self.spec.tiles((self.spec.in_channels, size[0], size[1]))

    def gate(self, mask: torch.Tensor) -> torch.Tensor:
        """A word mask (out, in, 32) in a shape that broadcasts to ``weight``."""
        return mask[..., None]

    def energy(self, weight: torch.Tensor) -> torch.Tensor:
        """(out, in, 32): every word's part of the squared norm of the 8×8 kernel (Parseval); -1 between
        channels that are not connected."""
        energy = (self.metric * weight.square()).sum(-1)
        if self.spec.groups == 1:
            return energy
        connected = torch.from_numpy(self.spec.connected).to(energy.device)
        return energy.masked_fill(~connected[:, :, None], -1.0)

    @classmethod
    def of_average(cls, spec: Conv, pixels: int) -> SpectralConv2d:
        """The layer that averages maps of so many ``pixels``: one word of every channel."""
        layer = cls(spec)
        with torch.no_grad():
            layer.weight.zero_()
            channel = torch.arange(spec.out_channels)
            layer.weight[channel, channel, 0, 0] = TILE**2 / pixels  # the sum of a kernel of 8×8 pixels
            layer.mask[:, :, 1:] = False
            layer.bias.zero_()
        return layer

    def words(self, weight: torch.Tensor) -> torch.Tensor:
        """``weight`` in the word layout (out, in, 32, 2): here it is in it already."""
        return weight

    def extra_repr(self) -> str:
        s = self.spec
        return f"{s.in_channels}, {s.out_channels}, kernel={s.kernel}, padding={s.padding}, S={s.tile_stride}"


def _autocast(x: torch.Tensor) -> torch.Tensor:
    """``x`` in the type that autocast, where it is on, gives to matrix products."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x
