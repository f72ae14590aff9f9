"""A spectral layer in the frequency domain, forward and back, a few images at a time.

Spectra and products of a batch are many times as large as the map they come from, and for few channels a pass
over memory takes as long as the arithmetic. So both ways take as many images at a time as a cache holds the
spectra of.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from hw.contract.spectrum import WORDS
from pruning.layers import tiles
from pruning.layers.layout import channels_first
from pruning.layers.products import kept_words

CACHE = 8 << 20
"""Bytes of spectra at a time: a share of a last-level cache. Weights pass once each time: large ones ask for
more images."""


@dataclass(frozen=True)
class Operator:
    """What a layer does beside its weights: where tiles lie, and the transforms.

    padding, stride, grid: :func:`pruning.layers.tiles.cut`. side: rows and columns of a tile's result.
    outputs: those of the result. forward (64, 64), inverse_real, inverse_imaginary (side², 64):
    :mod:`pruning.layers.transform`, in the type of the maps.
    """

    padding: int
    stride: int
    grid: tiles.Grid
    side: int
    outputs: tuple[int, int]
    forward: torch.Tensor
    inverse_real: torch.Tensor
    inverse_imaginary: torch.Tensor

    def spectrum(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) to (32, 2·T, C): per word the real parts of all tiles, then the imaginary."""
        pixels = tiles.windows(x, self.padding, self.stride, self.grid)
        return (self.forward @ pixels.flatten(1)).view(WORDS, -1, x.shape[1])

    def overlaid(self, windows: torch.Tensor, shape: torch.Size) -> torch.Tensor:
        """The adjoint of cutting: (64, T, C) to a map of ``shape``."""
        return tiles.overlaid(windows, shape, self.padding, self.stride, self.grid)

    def parts(self, x: torch.Tensor, weight: torch.Tensor) -> Iterator[slice]:
        """The images of a batch, as many at a time as :data:`CACHE` says."""
        outputs, inputs = weight.shape[-2:]
        image = 2 * WORDS * self.grid[0] * self.grid[1] * (inputs + 2 * outputs)  # numbers in its spectra
        images = max(CACHE // x.element_size(), 2 * weight.numel()) // image
        for first in range(0, len(x), max(1, images)):
            yield slice(first, first + max(1, images))


class _OverlapSave(torch.autograd.Function):
    """:func:`overlap_save`; keeps the spectra of the map for the way back."""

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        gate: torch.Tensor | None,
        operator: Operator,
    ) -> torch.Tensor:
        kept = kept_words(weight, gate, x.dtype)
        real, imaginary = (kept[:, part].transpose(1, 2) for part in (0, 1))
        y = x.new_empty(len(x), *operator.outputs, len(bias))
        spectra = []
        for part in operator.parts(x, kept):
            spectrum = operator.spectrum(x[part])
            pixels = torch.addmm(
                operator.inverse_real @ torch.bmm(spectrum, real).view(2 * WORDS, -1),
                operator.inverse_imaginary,
                torch.bmm(spectrum, imaginary).view(2 * WORDS, -1),
            )
            pixels = pixels.view(operator.side**2, -1, len(bias))
            joined = tiles.join(pixels, operator.side, operator.grid, operator.outputs)
            torch.add(joined.permute(0, 2, 3, 1), bias.to(x.dtype), out=y[part])
            spectra.append(spectrum)
        ctx.save_for_backward(kept, gate, *spectra)
        ctx.operator, ctx.shape, ctx.dtype = operator, x.shape, weight.dtype
        return y.permute(0, 3, 1, 2)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        kept, gate, *spectra = ctx.saved_tensors
        operator, shape = ctx.operator, ctx.shape
        dx = dw = db = None
        if ctx.needs_input_grad[0]:
            dx = torch.empty(shape, dtype=grad.dtype, device=grad.device, memory_format=torch.channels_last)
        if ctx.needs_input_grad[1]:
            dw = kept.new_empty(kept.shape, dtype=ctx.dtype)
        if ctx.needs_input_grad[2]:
            db = grad.sum((0, 2, 3), dtype=ctx.dtype)
        for part, spectrum in zip(operator.parts(grad, kept), spectra, strict=True):
            pixels = tiles.apart(grad[part], operator.side, operator.grid).flatten(1)
            real, imaginary = (
                (inverse.T @ pixels).view(WORDS, -1, grad.shape[1])
                for inverse in (operator.inverse_real, operator.inverse_imaginary)
            )
            if dw is not None:
                for index, product in enumerate((real, imaginary)):
                    sums = torch.bmm(product.transpose(1, 2), spectrum)
                    take = dw[:, index].add_ if part.start else dw[:, index].copy_
                    take(sums if gate is None else sums.mul_(gate))
            if dx is not None:
                words = torch.baddbmm(torch.bmm(real, kept[:, 0]), imaginary, kept[:, 1])
                windows = (operator.forward.T @ words.view(2 * WORDS, -1)).view(2 * WORDS, -1, shape[1])
                dx[part] = operator.overlaid(windows, dx[part].shape)
        return dx, None if dw is None else channels_first(dw), db, None, None


def overlap_save(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    gate: torch.Tensor | None,
    operator: Operator,
) -> torch.Tensor:
    """The layer's result.

    Parameters: ``x`` (B, C, H, W); ``weight`` (N, C, 32, 2) and ``bias`` (N,) of any float type; ``gate``
    (32, N, C) of the type of ``x``, 1 for words that take part and else 0 (None: all do).
    Returns (B, N, H', W') of the type of ``x``, channels last in memory.
    """
    return _OverlapSave.apply(x, weight, bias, gate, operator)
