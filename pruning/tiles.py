"""The tile grid: maps to overlapping 8×8 windows (overlap-save), and S×S pixels back to maps.

Everything here holds channels innermost, as convolutions of a CPU like it (channels-last): a window is
then gathered in runs of whole channel vectors, and a transform of all windows is one matrix product from
the left.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from hw.words import TILE

Grid = tuple[int, int]
"""Tile rows and columns."""


class _Cut(torch.autograd.Function):
    """Overlapping windows; the gradient adds up what windows share."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, padding: int, stride: int, grid: Grid) -> torch.Tensor:
        ctx.size, ctx.padding, ctx.stride, ctx.grid = x.shape[1:3], padding, stride, grid
        return _windows(F.pad(x, _borders(ctx)), stride, grid).contiguous().view(TILE * TILE, -1, x.shape[3])

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        rows, columns = ctx.grid
        grad = grad.view(TILE, TILE, -1, rows, columns, grad.shape[-1])
        height, width = ((n - 1) * ctx.stride + TILE for n in ctx.grid)
        padded = grad.new_zeros(grad.shape[2], height, width, grad.shape[-1])
        sums = _windows(padded, ctx.stride, ctx.grid)
        apart = -(-TILE // ctx.stride)  # windows so many places apart share no pixel
        for i in range(apart):
            for j in range(apart):
                sums[:, :, :, i::apart, j::apart] += grad[:, :, :, i::apart, j::apart]
        return F.pad(padded, [-n for n in _borders(ctx)]), None, None, None


def _borders(ctx: Any) -> list[int]:
    """Of ``F.pad``: from a map to what the tiles cover; negative where no tile reads rows or columns."""
    bottom, right = (
        (n - 1) * ctx.stride + TILE - ctx.padding - size for n, size in zip(ctx.grid, ctx.size, strict=True)
    )
    return [0, 0, ctx.padding, right, ctx.padding, bottom]


def _windows(x: torch.Tensor, stride: int, grid: Grid) -> torch.Tensor:
    """(8, 8, B, rows, columns, C): a view of ``x`` (B, H, W, C), covered exactly."""
    b, h, w, c = x.stride()
    size = (TILE, TILE, x.shape[0], *grid, x.shape[3])
    return x.as_strided(size, (h, w, b, stride * h, stride * w, c))


def cut(x: torch.Tensor, padding: int, stride: int, grid: Grid) -> torch.Tensor:
    """8×8 windows, one every ``stride`` pixels of the zero-padded map.

    Parameters: ``x`` (B, C, H, W). Returns (64, T, C), pixels first; T counts images, tile rows, columns.
    """
    return _Cut.apply(x.permute(0, 2, 3, 1), padding, stride, grid)


def join(pixels: torch.Tensor, stride: int, grid: Grid, size: tuple[int, int]) -> torch.Tensor:
    """Side by side, cropped to ``size``: (stride², T, C) to (B, C, height, width), channels last."""
    rows, columns = grid
    y = pixels.view(stride, stride, -1, rows, columns, pixels.shape[-1]).permute(2, 3, 0, 4, 1, 5)
    y = y.reshape(y.shape[0], rows * stride, columns * stride, -1)
    return y[:, : size[0], : size[1]].permute(0, 3, 1, 2)
