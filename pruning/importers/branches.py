"""Maps that join: added up, or side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from pruning.importers.hardware import takes_addition
from pruning.importers.joins import Joins
from pruning.importers.maps import size_of
from pruning.importers.refusals import refuse
from pruning.importers.values import Made, Value, of


class Branches(Joins):
    """A map is added to the outputs of a convolution that nobody else reads, or of one that copies a map."""

    def add(self, position: str, first: Value, second: Value) -> Value:
        """The sum of two maps."""
        self.ready(first), self.ready(second)
        shape = first.shape
        if shape != second.shape:
            raise refuse(
                position,
                f"the sum of maps of {size_of(shape)} and {size_of(second.shape)}, which repeats one of them",
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
        made.added = other.parts
        self._made.remove(made)  # what it adds may have been made after it, and nobody has read it yet
        self._made.append(made)
        return replace(of(made), shape=shape)

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
        if len(values) == 1 and values[0] is not None:
            return values[0]
        rank = len(shapes[0])
        if axis % rank == 0:
            raise refuse(position, "maps are joined along the batch", "join them along the channels")
        found = [value and self._map_to_join(value, position, len(values)) for value in values]
        there = [value for value in found if value is not None]
        for value in there[1:]:
            if value.whole[1:] != there[0].whole[1:]:
                raise refuse(
                    position,
                    f"maps of {size_of(there[0].whole[1:])} and {size_of(value.whole[1:])} pixels are joined",
                    "join maps of as many rows and columns",
                )
        pixels, every = there[0].whole[1:], [made for value in there for made in value.parts]
        parts: dict[Made | None, int] = {}
        for made in every:
            parts.setdefault(made, sum(self._values(other) for other in parts))
        whole = (sum(self._values(made) for made in parts) // prod(pixels), *pixels)
        shared = any(value.shared for value in there) or len(every) > len(parts)
        joined = Value(tuple(parts), whole, whole, shared=shared)
        plain = len(there) == len(values) and all(v.index is None and v.shape == v.whole for v in there)
        if plain and len(every) == len(parts) and axis % rank == 1:
            return joined
        indices = [
            torch.full(tuple(shape[1:]), -1, dtype=torch.int32)
            if value is None
            else self._moved(value, parts)
            for value, shape in zip(found, shapes, strict=True)
        ]
        return joined.seen_as(torch.cat(indices, axis % rank - 1))

    def _map_to_join(self, value: Value, position: str, among: int) -> Value:
        self.ready(value)
        if value.vector and among > 1:
            raise refuse(
                position,
                "the outputs of fully connected layers are joined, which lie apart from all maps",
                "join maps in front of the first fully connected layer",
            )
        return self.averaged(self.still(value, position))

    def _moved(self, value: Value, parts: dict[Made | None, int]) -> Tensor:
        """The numbers of its values where the first values of its ``parts`` have these numbers."""
        numbers, first = value.numbers(), 0
        moved = numbers.clone()
        for made in value.parts:
            count = self._values(made)
            own = (numbers >= first) & (numbers < first + count)
            moved[own] = numbers[own] - first + parts[made]
            first += count
        return moved

    def _values(self, made: Made | None) -> int:
        return prod(self.input if made is None else made.shape)
