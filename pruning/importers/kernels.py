"""Weights written otherwise, exactly: of groups, dilations, rectangles, of images that are spread, and those
that only move pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad, pixel_unshuffle


def ungrouped(weight: Tensor, groups: int) -> Tensor:
    """(out, in, R, C) of a convolution in ``groups``, (out, in / groups, R, C): zeros between the groups."""
    if groups == 1:
        return weight
    out, own = weight.shape[:2]
    whole = weight.new_zeros(out, own * groups, *weight.shape[2:])
    for group in range(groups):
        rows = slice(group * out // groups, (group + 1) * out // groups)
        whole[rows, group * own : (group + 1) * own] = weight[rows]
    return whole


def undilated(weight: Tensor, dilation: Sequence[int]) -> Tensor:
    """The kernel with the zeros between its pixels."""
    if set(dilation) == {1}:
        return weight
    rows, columns = ((n - 1) * d + 1 for n, d in zip(weight.shape[2:], dilation, strict=True))
    whole = weight.new_zeros(*weight.shape[:2], rows, columns)
    whole[:, :, :: dilation[0], :: dilation[1]] = weight
    return whole


def inside(weight: Tensor, square: int, row: int, column: int) -> Tensor:
    """The kernel in a ``square`` of zeros, that far down and right."""
    if weight.shape[2:] == (square, square):
        return weight
    whole = weight.new_zeros(*weight.shape[:2], square, square)
    whole[:, :, row : row + weight.shape[2], column : column + weight.shape[3]] = weight
    return whole


def scattered(weight: Tensor, index: Tensor, inputs: int) -> Tensor:
    """(out, ``inputs``, ...) for (out, in, ...), of which number i takes input ``index[i]``, -1: none."""
    kept = index >= 0
    whole = weight.new_zeros(len(weight), inputs, *weight.shape[2:])
    return whole.index_add_(1, index[kept].long().to(weight.device), weight[:, kept.to(weight.device)])


class Selection(NamedTuple):
    """Pixels of a map that another one is made of.

    channels: of which channel each output channel is, -1: of none; rows, columns: where its first pixel lies;
    stride: to the next.
    """

    channels: Tensor
    rows: Tensor
    columns: Tensor
    stride: int

    @property
    def of_channels(self) -> bool:
        """Whether whole channels are taken."""
        return self.stride == 1 and not bool(self.rows.any() | self.columns.any())


def selection(index: Tensor, whole: Sequence[int]) -> Selection | None:
    """What ``index`` (C', H', W') takes of a map of shape ``whole``; None if it is no selection."""
    _, height, width = whole
    count, rows, columns = index.shape
    index = index.long()
    first, some = index[:, 0, 0], (index >= 0).flatten(1)
    if bool((some.any(1) != some.all(1)).any()):
        return None
    chosen = index[first >= 0]
    steps = {int(step) for step in (chosen[:, 1:2, 0] - chosen[:, :1, 0]).unique() if rows > 1}
    stride = steps.pop() // width if steps else 0
    if columns > 1 and len(chosen):
        across = {int(step) for step in (chosen[:, 0, 1] - chosen[:, 0, 0]).unique()}
        if len(across) != 1 or (stride and across != {stride}):
            return None
        stride = across.pop()
    stride = stride or 1
    channels, pixel = first.div(height * width, rounding_mode="floor"), first % (height * width)
    top, left = pixel // width, pixel % width
    there = first >= 0
    expected = first[:, None, None] + stride * (
        torch.arange(rows)[:, None] * width + torch.arange(columns)[None]
    )
    inside = (top + stride * (rows - 1) < height) & (left + stride * (columns - 1) < width)
    if steps or stride < 1 or not bool(inside[there].all()) or not torch.equal(expected[there], chosen):
        return None
    nothing = torch.full((count,), -1)
    return Selection(
        torch.where(there, channels, nothing),
        torch.where(there, top, 0),
        torch.where(there, left, 0),
        stride,
    )


def phases(channels: int, rows: int, columns: int) -> Tensor:
    """(channels · rows · columns, channels, 2, 2): with stride 2 pixel (2y + a, 2x + b) of channel c becomes
    pixel (y, x) of channel (c · rows + a) · columns + b, for the phases a < ``rows`` and b < ``columns``."""
    weight = torch.zeros(channels, rows, columns, channels, 2, 2)
    for a in range(rows):
        for b in range(columns):
            weight[torch.arange(channels), a, b, torch.arange(channels), a, b] = 1
    return weight.flatten(0, 2)


def moved(channels: int, parts: Sequence[int], side: int) -> Tensor:
    """(channels · rows · columns, channels, R, C) for ``parts`` (rows, columns): pixel (y + a · ``side``,
    x + b · ``side``) of channel c becomes pixel (y, x) of channel (c · rows + a) · columns + b."""
    rows, columns = parts
    weight = torch.zeros(channels, rows, columns, channels, (rows - 1) * side + 1, (columns - 1) * side + 1)
    for a in range(rows):
        for b in range(columns):
            weight[torch.arange(channels), a, b, torch.arange(channels), a * side, b * side] = 1
    return weight.flatten(0, 2)


def of_moved(weight: Tensor, parts: Sequence[int], side: int) -> Tensor:
    """A kernel (out, in, R, C) for maps of :func:`moved`: (out, in · rows · columns, ``side``, ``side``)."""
    rows, columns = parts
    whole = pad(weight, (0, columns * side - weight.shape[3], 0, rows * side - weight.shape[2]))
    split = whole.unflatten(3, (columns, side)).unflatten(2, (rows, side))
    return split.permute(0, 1, 2, 4, 3, 5).flatten(1, 3)


def of_spread(weight: Tensor, start: Sequence[int], by: int) -> Tensor:
    """A kernel (out, in, R, C) for images that are spread ``by`` rows and columns
    (:func:`hw.host_interface.stream_format.spread`): (out, in · by², R', C'). ``start``: how far above and
    left of the images, as they were, its first window starts."""
    rows, columns = weight.shape[2:]
    top, left = (-first % by for first in start)
    sides = (left, -(left + columns) % by, top, -(top + rows) % by)
    return pixel_unshuffle(pad(weight, sides), by)


def of_phases(weight: Tensor) -> Tensor:
    """A kernel (out, in, R, C) for maps of :func:`phases` (of at most two rows and columns of them)."""
    out, channels, rows, columns = weight.shape
    a, b = min(rows, 2), min(columns, 2)
    whole = weight.new_zeros(out, channels, -(-rows // a) * a, -(-columns // b) * b)
    whole[:, :, :rows, :columns] = weight
    parts = whole.view(out, channels, whole.shape[2] // a, a, whole.shape[3] // b, b)
    return parts.permute(0, 1, 3, 5, 2, 4).reshape(out, channels * a * b, *parts.shape[2::2][:2])
