"""The tile grid: maps to overlapping 8×8 windows (overlap-save), and S×S pixels back to maps.

Everything here holds channels innermost, as convolutions of a CPU like it (channels-last): a window is
then gathered in runs of whole channel vectors, and a transform of all windows is one matrix product from
the left.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from hw.contract.network import Conv
from hw.contract.spectrum import TILE

Grid = tuple[int, int]
"""Tile rows and columns."""


class _Cut(torch.autograd.Function):
    """Overlapping windows; the gradient adds up what windows share."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, padding: int, stride: int, grid: Grid) -> torch.Tensor:
        ctx.shape, ctx.padding, ctx.stride, ctx.grid = x.shape, padding, stride, grid
        return windows(x, padding, stride, grid)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        return overlaid(grad, ctx.shape, ctx.padding, ctx.stride, ctx.grid), None, None, None


def windows(x: torch.Tensor, padding: int, stride: int, grid: Grid) -> torch.Tensor:
    """:func:`cut` without its gradient."""
    x = x.permute(0, 2, 3, 1)
    covered = F.pad(x, _borders(x.shape[1:3], padding, stride, grid))
    return _windows(covered, stride, grid).contiguous().view(TILE * TILE, -1, x.shape[3])


def overlaid(pixels: torch.Tensor, shape: torch.Size, padding: int, stride: int, grid: Grid) -> torch.Tensor:
    """The adjoint of :func:`windows`: (64, T, C) to a map of ``shape`` (B, C, H, W), what windows share
    added up."""
    batch, channels, *size = shape
    pixels = pixels.view(TILE, TILE, batch, *grid, channels)
    height, width = ((n - 1) * stride + TILE for n in grid)
    covered = pixels.new_zeros(batch, height, width, channels)
    sums = _windows(covered, stride, grid)
    apart = -(-TILE // stride)  # windows so many places apart share no pixel
    for i in range(apart):
        for j in range(apart):
            sums[:, :, :, i::apart, j::apart] += pixels[:, :, :, i::apart, j::apart]
    return F.pad(covered, [-n for n in _borders(size, padding, stride, grid)]).permute(0, 3, 1, 2)


def _borders(size: Sequence[int], padding: int, stride: int, grid: Grid) -> list[int]:
    """Of ``F.pad``: from a map to what the tiles cover; negative where no tile reads rows or columns."""
    bottom, right = ((n - 1) * stride + TILE - padding - have for n, have in zip(grid, size, strict=True))
    return [0, 0, padding, right, padding, bottom]


def _windows(x: torch.Tensor, stride: int, grid: Grid) -> torch.Tensor:
    """(8, 8, B, rows, columns, C): a view of ``x`` (B, H, W, C), covered exactly."""
    b, h, w, c = x.stride()
    size = (TILE, TILE, x.shape[0], *grid, x.shape[3])
    return x.as_strided(size, (h, w, b, stride * h, stride * w, c))


def cut(x: torch.Tensor, padding: int, stride: int, grid: Grid) -> torch.Tensor:
    """8×8 windows, one every ``stride`` pixels of the zero-padded map.

    Parameters: ``x`` (B, C, H, W). Returns (64, T, C), pixels first; T counts images, tile rows, columns.
    """
    return _Cut.apply(x, padding, stride, grid)


def join(pixels: torch.Tensor, side: int, grid: Grid, size: tuple[int, int]) -> torch.Tensor:
    """Side by side, cropped to ``size``: (side², T, C) to (B, C, height, width), channels last."""
    rows, columns = grid
    y = pixels.view(side, side, -1, rows, columns, pixels.shape[-1]).permute(2, 3, 0, 4, 1, 5)
    y = y.reshape(y.shape[0], rows * side, columns * side, -1)
    return y[:, : size[0], : size[1]].permute(0, 3, 1, 2)


def apart(y: torch.Tensor, side: int, grid: Grid) -> torch.Tensor:
    """The adjoint of :func:`join`: (B, C, height, width) to (side², T, C), zero where a map was cropped."""
    rows, columns = grid
    bottom, right = rows * side - y.shape[2], columns * side - y.shape[3]
    y = F.pad(y.permute(0, 2, 3, 1), [0, 0, 0, right, 0, bottom])
    y = y.reshape(len(y), rows, side, columns, side, -1).permute(2, 4, 0, 1, 3, 5)
    return y.reshape(side**2, -1, y.shape[-1])


def pooled(y: torch.Tensor, spec: Conv, size: Sequence[int]) -> torch.Tensor:
    """Max pooling inside every tile, where its windows overlap: (B, C, rows · side, columns · side), tiles of
    ``spec`` side by side, to the map (B, C, H', W') that it makes of one of ``size`` (H, W)."""
    grid = spec.tiles((spec.in_channels, size[0], size[1]))
    y = y.masked_fill(~_inside(spec, grid, size).to(y.device), -math.inf)
    y = y.view(*y.shape[:2], grid[0], spec.tile_side, grid[1], spec.tile_side)
    last = (spec.tile_outputs - 1) * spec.pool + 1
    taken = [slice(i, i + last, spec.pool) for i in range(spec.window)]
    y = functools.reduce(torch.maximum, (y[:, :, :, rows] for rows in taken))
    y = functools.reduce(torch.maximum, (y[..., columns] for columns in taken))
    _, height, width = spec.output((spec.in_channels, size[0], size[1]))
    return y.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]


def _inside(spec: Conv, grid: Grid, size: Sequence[int]) -> torch.Tensor:
    """(rows · side, columns · side): which pixels of tiles side by side lie in the map in front of
    pooling."""
    inside = []
    for tiles, length in zip(grid, size, strict=True):
        first = torch.arange(tiles)[:, None] * spec.tile_stride - spec.pool_padding
        at = (first + torch.arange(spec.tile_side)).flatten()
        inside.append((at >= 0) & (at < spec.conv_size(length)))
    return inside[0][:, None] & inside[1]
