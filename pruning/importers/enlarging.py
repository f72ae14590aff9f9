"""Operations that make maps larger, and convolutions of maps that grew (:mod:`pruning.importers.growth`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from pruning.importers import hardware
from pruning.importers.grown import Grown
from pruning.importers.growth import Axis, Growth, axis, growth, shuffled, untransposed, weights_of
from pruning.importers.hardware import Pair
from pruning.importers.kernels import scattered, undilated, ungrouped
from pruning.importers.maps import check_bias, size_of
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.values import Value

MOST_GROWN = 8
"""Rows and columns that a map may have for one that is stored: a layer's work grows with their square."""


class Enlarging(Grown):
    """Layers whose pixels are channels of a smaller map."""

    def grown_inside(self, value: Value) -> tuple[Value, Pair] | None:
        """(a map that grew, rows and columns of zeros that wait above and left of it)."""
        if value.index is None or value.index.dim() != 3:
            return None
        inner = replace(value, padding=None, shape=tuple(value.index.shape))
        above = value.padding or (0, 0, 0, 0)
        return None if self.grown(inner) is None else (inner, above[:2])

    def copied(self, value: Value, position: str) -> Value:
        if self.grown(value) is not None:
            raise refuse(
                position,
                "it takes a map that grew, of which the hardware makes convolutions, sums, joins, "
                "activations and fully connected layers alone",
                "put it in front of what enlarges the map",
            )
        return super().copied(value, position)

    def enlarge(
        self, value: Value, position: str, operation: str, function: Callable[[Tensor], Tensor]
    ) -> Value:
        """An operation that puts pixels elsewhere, or several times, so that maps are larger: ``function``
        does it to tensors of a batch of maps."""
        self._check_map(value, position)
        value = self.scaled(self.channels_first(value, position), position)
        rows = self.map_of(value, position)[1]
        value = self.averaged(self.still(value, position))
        larger = self.move(value, position, operation, lambda x: function(x.double()).round().to(x.dtype))
        if larger is value:
            return value
        if self.grown(larger) is None:
            raise unsupported(position, operation)
        self._check_growth(value, position, larger.shape[1] // rows)
        return larger

    def transposed_convolution(
        self,
        value: Value,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int],
        padding: Sequence[int],
        more: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Value:
        """As a convolution that makes pixels of the larger map as channels.

        ``weight`` (in, out / groups, rows, columns). ``padding``: of all sides, of rows and columns, or of
        top, left, bottom and right; ``more``: rows and columns that are made besides.
        """
        self._check_map(value, position)
        channels, height, width = self.map_of(self.channels_first(value, position), position)
        weight = undilated(ungrouped(untransposed(weight, groups), groups), dilation)
        check_bias(position, weight, bias)
        if weight.shape[1] != channels:
            raise refuse(
                position,
                f"a transposed convolution of {weight.shape[1]} channels gets {channels}",
                "give it weights for as many",
            )
        step = stride[0]
        if len({*stride}) > 1:
            raise refuse(
                position,
                f"a transposed convolution of stride {size_of(tuple(stride))}",
                "use the same for rows and columns",
            )
        top, left, bottom, right = tuple(padding) * (4 // len(padding))
        rows, columns = weight.shape[2:]
        result = (
            (height - 1) * step - top - bottom + rows + more[0],
            (width - 1) * step - left - right + columns + more[1],
        )
        if min(result) < 1:
            raise refuse(position, f"it makes maps of {size_of(result)} pixels", "pad it by less")
        value = self.still(value, position)
        self._check_growth(value, position, step)
        value, found = self._growth_of(value, position)
        made = found.by * step
        axes = axis(rows, found.by, made, (top, -step, -1)), axis(columns, found.by, made, (left, -step, -1))
        taps = max(1, prod(weight.shape[1:]) // (groups * step**2))  # that a pixel meets, on average
        of_file = {"groups": groups, "taps": taps}
        return self._made_larger(value, position, path, weight, bias, found, axes, 1, made, result, of_file)

    def of_grown(
        self,
        value: Value,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int],
        start: Pair,
        result: Pair,
        of_file: dict[str, int],
    ) -> Value:
        """A convolution of a map that grew, the first window ``start`` rows above and columns left of it."""
        value, found = self._growth_of(value, position)
        step = stride[0]
        made, left = max(1, found.by // step), max(1, step // found.by)
        if len({*stride}) > 1 or made * step != found.by * left or left > hardware.MOST_STRIDE:
            raise refuse(
                position,
                f"a stride of {size_of(tuple(stride))} for a map that grew by {found.by}",
                "use a stride of 2 or 4, and let maps grow by factors of two",
            )
        rows, columns = (
            axis(side, found.by, made, (first, 1, step))
            for side, first in zip(weight.shape[2:], start, strict=True)
        )
        return self._made_larger(
            value, position, path, weight, bias, found, (rows, columns), left, made, result, of_file
        )

    def _made_larger(
        self,
        value: Value,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        found: Growth,
        axes: tuple[Axis, Axis],
        stride: int,
        made: int,
        result: Pair,
        of_file: dict[str, int],
    ) -> Value:
        """The layer that makes ``made`` × ``made`` pixels of ``result`` for each of its own."""
        if result[0] % made or result[1] % made:
            raise refuse(
                position,
                f"it makes {size_of(result)} pixels of a map that grew, and the hardware takes {made}×{made} "
                "of them together",
                "pad it so that sides stay multiples of that",
            )
        whole = (len(weight) * made**2, result[0] // made, result[1] // made)
        index = shuffled(whole, made)
        order = torch.arange(whole[0]) if made == 1 else growth(index, whole).channels.flatten()
        kernel = scattered(weights_of(weight, *axes).flatten(0, 1), found.channels.flatten(), value.whole[0])
        sorted_by = order.argsort().to(kernel.device)
        bias = None if bias is None else bias.repeat_interleave(made**2)[sorted_by]
        start = (axes[0].start, axes[1].start)
        stored = self.layer(
            position, path, value, kernel[sorted_by], bias, start, stride, whole[1:], **of_file
        )
        return stored if made == 1 else replace(stored, index=index, shape=tuple(index.shape))

    def _growth_of(self, value: Value, position: str) -> tuple[Value, Growth]:
        """What is stored of ``value``, and how."""
        found = self.grown(value)
        if found is None:
            value = self.settled(value, position)
            return value, Growth(1, torch.arange(value.whole[0]).view(-1, 1, 1))
        return replace(value, index=None, shape=value.whole), found

    def _check_map(self, value: Value, position: str) -> None:
        self.ready(value)
        if value.vector:
            raise refuse(
                position,
                "it makes a map of what a fully connected layer gives, or a convolution of a map of one "
                "pixel, and those give numbers, no maps",
                "begin with a map of more pixels, or leave it and what follows to the host",
            )

    def _check_growth(self, value: Value, position: str, by: int) -> None:
        found = self.grown(value)
        if (whole := by * (found.by if found else 1)) > MOST_GROWN:
            raise refuse(
                position,
                f"a map that grows by {whole}, and the hardware keeps such maps as channels of smaller ones, "
                f"of at most {MOST_GROWN}×{MOST_GROWN} pixels for each of theirs",
                "leave the last of the layers that enlarge maps to the host",
            )
