"""Maps that grew, kept as they were: of every BY×BY pixels each is a channel of a smaller map.

The hardware's maps do not grow. A convolution of a map that did is one of the smaller map, with a channel for
every pixel of its own outputs, and so is a transposed convolution: :func:`weights_of` has its weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad, pixel_shuffle

from pruning.importers.maps import size_of


class Growth(NamedTuple):
    """by: rows and columns of the map for one of what is stored. channels: (C, by, by), of pixel (by · y + a,
    by · x + b) of a channel the stored channel that has it at (y, x); -1: none, zeros."""

    by: int
    channels: Tensor

    @property
    def apart(self) -> bool:
        """Whether all channels of the map are there, and no stored one is there for two of them."""
        owners = torch.arange(len(self.channels))[:, None, None].expand(self.channels.shape)
        there = self.channels >= 0
        pairs = torch.stack([self.channels[there], owners[there]]).unique(dim=1)
        return bool(there.all()) and len(pairs[0].unique()) == len(pairs[0])

    @property
    def in_order(self) -> Tensor:
        """Stored channels in the order of :func:`shuffled`; -1: zeros."""
        count = self.channels.numel()
        canonical = growth(shuffled((count, 1, 1), self.by), (count, 1, 1))
        order = torch.empty(count, dtype=torch.long)
        order[canonical.channels.flatten()] = self.channels.flatten()
        return order

    def words(self, index: Tensor, whole: Sequence[int]) -> str:
        """What is left to do with what is stored, ``index`` of a map of shape ``whole``."""
        size = size_of(tuple(whole))
        nearest = torch.arange(whole[0])[:, None, None].expand(-1, self.by, self.by)
        if torch.equal(self.channels, nearest):
            return f"making {self.by}×{self.by} pixels of each that it gives, {size}"
        if whole[0] % self.by**2 == 0 and torch.equal(index, shuffled(whole, self.by)):
            twos = (self.by & -self.by).bit_length() - 1
            factors = [2] * twos + [self.by >> twos] * (self.by >> twos > 1)
            amount = ", then ".join(f"by {factor}" for factor in factors)
            return f"pixel shuffles of what it gives, {size}: {amount}"
        return f"the order of what it gives, {size}"

    def stored(self, constant: Tensor, count: int, rest: float) -> Tensor:
        """``constant`` (C,) for each of ``count`` stored channels, ``rest`` for those that are not there."""
        found = constant.new_full((count,), rest)
        there = self.channels >= 0
        found[self.channels[there]] = constant[:, None, None].expand(self.channels.shape)[there]
        return found


def growth(index: Tensor, whole: Sequence[int]) -> Growth | None:
    """What a map grew by whose values are ``index`` (C, H, W), by number, of a map of shape ``whole``; None
    if it is no such map."""
    _, height, width = whole
    count, rows, columns = index.shape
    by = rows // height
    if by < 2 or (rows, columns) != (by * height, by * width):
        return None
    phases = index.long().view(count, height, by, width, by).permute(0, 2, 4, 1, 3)
    first = phases[..., :1, :1]
    expected = torch.where(first < 0, first, first + torch.arange(height * width).view(height, width))
    at_a_corner = bool(((first < 0) | (first % (height * width) == 0)).all())
    if not at_a_corner or not torch.equal(expected.expand(phases.shape), phases):
        return None
    channels = torch.where(first < 0, first, first.div(height * width, rounding_mode="floor"))
    return Growth(by, channels[..., 0, 0])


def shuffled(whole: Sequence[int], by: int) -> Tensor:
    """The order of values of a map that grew ``by``, from all of ``whole`` (C · by², H, W): by a factor of
    two after the other, so that maps that grew in turns have it, too."""
    values = torch.arange(whole[0] * whole[1] * whole[2], dtype=torch.int32).view(tuple(whole))
    while by % 2 == 0:
        values, by = _shuffled(values, 2), by // 2
    return _shuffled(values, by)


def _shuffled(values: Tensor, by: int) -> Tensor:
    return pixel_shuffle(values[None].double(), by)[0].to(values.dtype)


class Axis(NamedTuple):
    """An axis of a kernel for a smaller map. taps: (made, by, R), for a pixel of what is made, one of what is
    read, and a row of the new kernel, the row of the old one; -1: none. start: how far above the map it
    starts."""

    taps: Tensor
    start: int


def axis(side: int, by: int, made: int, tap: Sequence[int]) -> Axis:
    """Of a kernel of ``side`` rows that reads ``by`` and makes ``made`` rows for one that is stored. ``tap``:
    (first, read, step), its row is first + read · (row that is read) - step · (row that is made)."""
    first, read, step = tap
    reach = (side + abs(first) + abs(step) * made) // abs(read * by) + 2
    found = [
        (a, e, d, row)
        for a in range(made)
        for e in range(by)
        for d in range(-reach, reach + 1)
        if 0 <= (row := first + read * (by * d + e) - step * a) < side
    ]
    least, most = (pick(d for _, _, d, _ in found) for pick in (min, max))
    taps = torch.full((made, by, most - least + 1), -1)
    for a, e, d, row in found:
        taps[a, e, d - least] = row
    return Axis(taps, -least)


def weights_of(weight: Tensor, rows: Axis, columns: Axis) -> Tensor:
    """(out, made², in · by², R', C') of a kernel (out, in, R, C)."""
    out, channels = weight.shape[:2]
    bordered = pad(weight, (0, 1, 0, 1))  # row and column -1
    found = bordered[:, :, rows.taps.flatten()][:, :, :, columns.taps.flatten()]
    found = found.view(out, channels, *rows.taps.shape, *columns.taps.shape)
    found = found.permute(0, 2, 5, 1, 3, 6, 4, 7)
    return found.flatten(3, 5).flatten(1, 2)


def untransposed(weight: Tensor, groups: int) -> Tensor:
    """(out, in / groups, R, C) of the (in, out / groups, R, C) of a transposed convolution."""
    return weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
