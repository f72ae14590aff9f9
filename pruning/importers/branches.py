"""Maps that join: added up, side by side, or a map and what is above zero of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial, reduce
from math import prod
from typing import Any

import torch
from torch import Tensor

from hw.contract.network import MOST_LEAK
from pruning.importers.hardware import leak_of, takes_addition
from pruning.importers.image_scale import Scale, joined, unscaled
from pruning.importers.joins import Joins
from pruning.importers.maps import size_of
from pruning.importers.refusals import refuse, unsupported, unsupported_slope
from pruning.importers.values import Made, Value, of


class Branches(Joins):
    """A map is added to the outputs of a convolution that nobody else reads, or of one that copies a map."""

    def add(self, position: str, first: Value, second: Value) -> Value:
        """The sum of two maps."""
        self.ready(first), self.ready(second)
        shape, last = first.shape, first.last
        if first.seen != second.seen or last != second.last:
            raise refuse(
                position,
                f"the sum of maps of {size_of(first.seen)} and {size_of(second.seen)}, which repeats one of "
                "them" + (" or turns it" if last != second.last else ""),
                "add maps of the same shape",
            )
        if first.plain and second.plain and first.parts == second.parts:
            return self.affine(replace(first, shared=True), position, "add", factor=2.0)
        if first.vector or second.vector:
            raise refuse(
                position,
                "the sum of outputs of fully connected layers, and the hardware adds maps to the outputs of "
                "convolutions",
                "add in front of the fully connected layers, or use 1×1 convolutions",
            )
        found = [self._map_to_add(value, position) for value in (first, second)]
        if self._takes(found[0]):
            value, other = found
        elif self._takes(found[1]):
            other, value = found
        else:
            value, other = self.copied(found[0], position), found[1]
        made = value.parts[0]
        made.added, made.range = other.parts, None
        self._made.remove(made)  # what it adds may have been made after it, and nobody has read it yet
        self._made.append(made)
        return replace(of(made), shape=shape, last=last)

    def leaky(self, value: Value, position: str, operation: str, slope: Tensor | float) -> Value:
        """A ReLU of that slope below zero, as it is put together with a batch of maps: part of its layer for
        slopes that the hardware has, two layers more for others."""
        falls = self.per_channel(value, torch.as_tensor(slope, dtype=torch.double))
        self.ready(value)
        if falls is not None and (bool((falls == 1).all()) or not value.signed):
            return value
        if falls is None or not bool(falls.isfinite().all()):
            raise unsupported(position, operation)
        if not bool((falls != 0).any()):
            return self.relu(value, position)
        leak = leak_of(falls.tolist()) if bool((falls > 0).all()) else None
        if leak is None:
            return self._leaking(value, position, operation, falls)
        value, shape = self.averaged(self.scaled(value, position)), value.shape
        if value.shared or any(made and made.spec.leak + leak > MOST_LEAK for made in value.parts):
            value = replace(self.copied(value, position), shape=shape)
        for made in value.parts:
            if made is not None and made.spec.signed:
                made.spec = replace(made.spec, relu=True, leak=made.spec.leak + leak)
        return value

    def _leaking(self, value: Value, position: str, operation: str, falls: Tensor) -> Value:
        """The map times ``falls``, one for each channel, plus its ReLU times what is left to one."""
        if value.vector or (value.index is not None and len(value.shape) != 3):
            if not bool((falls > 0).all()):
                raise unsupported(position, operation)
            raise unsupported_slope(position, falls.tolist())
        shape, last = value.shape, value.last
        whole = shape if value.index is not None or value.padding is not None else value.whole
        value = replace(value, shape=whole, last=False, shared=True)
        factor = falls.view(-1, 1, 1)
        rising = self.affine(self.relu(value, position), position, operation, factor=1 - factor)
        falling = self.affine(value, position, operation, factor=factor)
        return replace(self.add(position, falling, rising), shape=shape, last=last)

    def max_pool(self, value: Value, position: str, **given: Any) -> Value:
        """Over 2×2 pixels of stride 1: the largest of four neighbours."""
        if {*given["kernel"]} != {2} or {*given["stride"], *given["dilation"]} != {1}:
            return super().max_pool(value, position, **given)
        top, left, bottom, right = tuple(given["padding"]) * (4 // len(given["padding"]))
        padded = bool(top or left or bottom or right)
        if padded and value.signed:
            return super().max_pool(value, position, **given)
        value = self.channels_first(value, position)
        if padded:  # zeros are no larger than anything that has no sign
            value = self.pad(value, position, "pad", (top, left, bottom, right), 0)
        _, height, width = self.map_of(value, position)
        value = replace(value, shared=True)
        corners = [
            self.move(
                value,
                position,
                "max_pool2d",
                lambda x, row=row, column=column: x[..., row : row + height - 1, column : column + width - 1],
            )
            for row in (0, 1)
            for column in (0, 1)
        ]
        return reduce(partial(self.extreme, position), corners)

    def extreme(self, position: str, first: Value, second: Value, *, least: bool = False) -> Value:
        """The larger of two maps everywhere, or the smaller: one of them, and a ReLU of what the other has
        more, or less."""
        self.ready(first), self.ready(second)
        first, sign = replace(first, shared=True), -1.0 if least else 1.0
        other = self.affine(first, position, "sub", factor=-sign)
        beyond = self.relu(
            self.add(position, self.affine(second, position, "sub", factor=sign), other), position
        )
        return self.add(position, first, self.affine(beyond, position, "sub", factor=sign))

    def _map_to_add(self, value: Value, position: str) -> Value:
        flat = value.plain and len(value.shape) == 1
        return self.settled(replace(value, shape=value.whole) if flat else value, position)

    def _takes(self, value: Value) -> bool:
        made = value.parts[0]
        return (
            made is not None
            and not value.shared
            and not made.added
            and not made.spec.dot
            and takes_addition(made.spec, made.size)
        )

    def joined(
        self, position: str, values: Sequence[Value | None], axis: int, shapes: Sequence[Sequence[int]]
    ) -> Value:
        """Side by side along ``axis`` (the batch is axis 0); None: zeros. ``shapes`` of all, batch first."""
        there = [value for value in values if value is not None]
        if there and all(value.last for value in there) and len(shapes[0]) == 4:
            first = [None if value is None else replace(value, last=False) for value in values]
            sizes = [(n, c, h, w) for n, h, w, c in shapes]
            return replace(self.joined(position, first, (0, 2, 3, 1)[axis], sizes), last=True)
        parts: dict[Made | None, int] = {}
        pixels, indices, rank = None, [], len(shapes[0])
        if len(values) == 1 and values[0] is not None:
            return values[0]
        if axis % rank == 0:
            raise refuse(position, "maps are joined along the batch", "join them along the channels")
        scale = self._scales_joined(values, axis % len(shapes[0]) - 1, shapes)
        for value, shape in zip(values, shapes, strict=True):
            if value is None:
                indices.append(torch.full(tuple(shape[1:]), -1, dtype=torch.int32))
                continue
            self.ready(value)
            if value.vector and len(values) > 1:
                raise refuse(
                    position,
                    "the outputs of fully connected layers are joined, which lie apart from all maps",
                    "join maps in front of the first fully connected layer",
                )
            value = self.still(value, position)
            value = self.averaged(self.scaled(value, position) if scale is None else value).unrolled()
            if pixels not in (None, value.whole[1:]):
                raise refuse(
                    position,
                    f"maps of {size_of(pixels)} and {size_of(value.whole[1:])} pixels are joined",
                    "join maps of as many rows and columns",
                )
            pixels, numbers, first = value.whole[1:], value.numbers(), 0
            further = []  # of the values of every part: by how much their numbers are larger here
            for made in value.parts:
                base = parts.setdefault(made, sum(self._values(other) for other in parts))
                further.append(torch.full((self._values(made),), base - first, dtype=torch.int32))
                first += self._values(made)
            moved = numbers + torch.cat(further)[numbers.clamp(min=0)]
            indices.append(torch.where(numbers < 0, numbers, moved))
        index = torch.cat(indices, axis % rank - 1)
        whole = (sum(self._values(made) for made in parts) // prod(pixels), *pixels)
        shared = any(value.shared for value in there) or sum(len(v.parts) for v in there) > len(parts)
        return replace(Value(tuple(parts), whole, whole, shared=shared).seen_as(index), scale=scale)

    def _scales_joined(
        self, values: Sequence[Value | None], axis: int, shapes: Sequence[Sequence[int]]
    ) -> Scale | None:
        """Of values of the images alone, side by side; None where none is scaled, or there are others."""
        there = [value for value in values if value is not None]
        if all(value.scale is None for value in there):
            return None
        if any(value.parts != (None,) or value.average or value.padding for value in there):
            return None
        found = [
            unscaled(tuple(shape[1:])) if value is None or value.scale is None else value.unrolled().scale
            for value, shape in zip(values, shapes, strict=True)
        ]
        return joined([scale for scale in found if scale is not None], axis)

    def _values(self, made: Made | None) -> int:
        return prod(self.input if made is None else made.shape)
