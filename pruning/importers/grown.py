"""Operations on maps that grew: on what is stored of them (:mod:`pruning.importers.growth`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import inf, prod
from typing import Any

import torch
from torch import Tensor

from pruning.importers.branches import Branches
from pruning.importers.growth import Growth, growth, shuffled
from pruning.importers.kernels import phases
from pruning.importers.maps import size_of
from pruning.importers.refusals import refuse
from pruning.importers.values import Value


class Grown(Branches):
    """What is done to every pixel is done to what is stored; other maps that meet one that grew are taken
    apart in the same way."""

    def grown(self, value: Value) -> Growth | None:
        """What ``value`` grew by; None where it did not."""
        if value.index is None or value.index.dim() != 3 or value.vector or value.last:
            return None
        waits = value.padding is not None or value.scale is not None or value.blocked is not None
        return None if waits else growth(value.index, value.whole)

    def relu(self, value: Value, position: str) -> Value:
        return self._pixelwise(value, super().relu, position)

    def clip(
        self, value: Value, position: str, operation: str, low: Tensor | float, high: Tensor | float
    ) -> Value:
        value, bounds = self._of_channels(value, position, (low, -inf), (high, inf))
        return self._pixelwise(value, super().clip, position, operation, *bounds)

    def leaky(self, value: Value, position: str, operation: str, slope: Tensor | float) -> Value:
        value, slopes = self._of_channels(value, position, (slope, 1.0))
        return self._pixelwise(value, super().leaky, position, operation, *slopes)

    def affine(
        self,
        value: Value,
        position: str,
        operation: str,
        factor: Tensor | float = 1.0,
        offset: Tensor | float = 0.0,
    ) -> Value:
        value, constants = self._of_channels(value, position, (factor, 1.0), (offset, 0.0))
        return self._pixelwise(value, super().affine, position, operation, *constants)

    def batch_norm(self, value: Value, position: str, **given: Any) -> Value:
        names = {"weight": 1.0, "bias": 0.0, "mean": 0.0, "variance": 1.0}
        there = {name: rest for name, rest in names.items() if given[name] is not None}
        if self.grown(value) is not None and all(given[name].shape == value.shape[:1] for name in there):
            value = self._apart(value, position)
            found = self.grown(value)
            for name, rest in there.items():
                given[name] = found.stored(given[name], value.whole[0], rest)
        norm = super().batch_norm
        return self._pixelwise(value, lambda stored, where: norm(stored, where, **given), position)

    def add(self, position: str, first: Value, second: Value) -> Value:
        by = self._most(first, second)
        if by == 1 or first.seen != second.seen:
            return super().add(position, first, second)
        first, second = (self._parted(value, position, by) for value in (first, second))
        stored = (replace(value, index=None, shape=value.whole) for value in (first, second))
        return replace(super().add(position, *stored), index=first.index, shape=first.shape)

    def joined(
        self, position: str, values: Sequence[Value | None], axis: int, shapes: Sequence[Sequence[int]]
    ) -> Value:
        there = [value for value in values if value is not None]
        by = self._most(*there)
        if by > 1 and axis % len(shapes[0]) == 1 and len({value.shape[1:] for value in there}) == 1:
            values = [
                value if value is None or self._most(value) == by else self._parted(value, position, by)
                for value in values
            ]
        return super().joined(position, values, axis, shapes)

    def _most(self, *values: Value) -> int:
        return max((found.by for value in values if (found := self.grown(value)) is not None), default=1)

    def _pixelwise(self, value: Value, function: Callable[..., Value], *given: Any) -> Value:
        """``function`` of what is stored of ``value``, if that grew; ``given``: the position, and more."""
        if self.grown(value) is None:
            return function(value, *given)
        found = function(replace(value, index=None, shape=value.whole), *given)
        return replace(self.scaled(found, given[0]), index=value.index, shape=value.shape)

    def _of_channels(
        self, value: Value, position: str, *constants: tuple[Tensor | float, float]
    ) -> tuple[Value, list[Tensor | float]]:
        """``value`` and constants that meet it, each with a number that does nothing; if it grew, one for
        every stored channel."""
        given = [constant for constant, _ in constants]
        if self.grown(value) is None:
            return value, given
        numbers = [self.per_channel(value, torch.as_tensor(number, dtype=torch.double)) for number in given]
        if any(number is None for number in numbers):
            return value, given
        value = self._apart(value, position)
        found = self.grown(value)
        stored = (
            found.stored(number, value.whole[0], rest)
            for number, (_, rest) in zip(numbers, constants, strict=True)
        )
        return value, [number.view(-1, 1, 1) for number in stored]

    def _apart(self, value: Value, position: str) -> Value:
        """``value`` with a stored channel of its own for every pixel of every channel."""
        found = self.grown(value)
        return value if found.apart else self._parted(value, position, found.by)

    def _parted(self, value: Value, position: str, by: int) -> Value:
        """``value`` with each of ``by`` × ``by`` pixels as a channel, in the order of :func:`shuffled`."""
        found = self.grown(value)
        if found is None:
            stored, now = self.settled(value, position), 1
        else:
            stored, now, order = replace(value, index=None, shape=value.whole), found.by, found.in_order
            if not torch.equal(order, torch.arange(value.whole[0])):
                pixels = torch.arange(prod(value.whole), dtype=torch.int32).view(value.whole)[order]
                pixels[order < 0] = -1
                stored = self.copied(replace(stored, shared=True).seen_as(pixels), position)
        while now < by:
            channels, height, width = stored.whole
            if height % 2 or width % 2 or by % (2 * now):
                raise refuse(
                    position,
                    f"a map of {size_of(value.shape)} meets one that grew by {by}, which is kept as channels "
                    "of a smaller map",
                    "use images whose sides are multiples of what maps shrink by",
                )
            half = (height // 2, width // 2)
            stored = self._copy(stored, position, "phases", phases(channels, 2, 2), (0, 0), 2, half)
            now *= 2
        index = shuffled(stored.whole, by)
        return replace(stored, index=index, shape=tuple(index.shape))
