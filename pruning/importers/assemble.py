"""Put a network together operation by operation, as a reader of some graph meets them.

Every operation takes what stands between two layers (:class:`pruning.importers.values.Value`) and gives it
back changed: it makes a layer, joins the one before, waits for the one after, or is refused with its place
and a way out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from hw.contract.network import MOST, Conv
from hw.util.errors import UnsupportedNetwork
from pruning.importers import hardware
from pruning.importers.blockers import Blockers
from pruning.importers.finish import Converted, assembled
from pruning.importers.hardware import Pair
from pruning.importers.image_scale import Folded, Numbers, folded, of_mean
from pruning.importers.kernels import (
    moved,
    of_moved,
    of_phases,
    of_spread,
    phases,
    scattered,
    undilated,
    ungrouped,
)
from pruning.importers.maps import check_bias, size_of
from pruning.importers.ranges import Ranges
from pruning.importers.refusals import refuse
from pruning.importers.values import Made, Value, of


class Assembler(Ranges):
    """A network in the making, for ``batch`` inputs of ``shape`` (C, H, W).

    Methods are operations; ``position`` says in errors where one stands. All raise ``UnsupportedNetwork``.
    Tensors are copied, those of 16 bits as float32, in which networks are trained.

    Members: ``blockers``, what was refused so far.
    """

    def __init__(self, name: str, shape: Sequence[int], batch: int) -> None:
        super().__init__(name, shape, batch)
        self.blockers = Blockers()
        self.constant = False
        """Whether a convolution reads the constant channel (:mod:`pruning.importers.image_scale`)."""
        self.spread = 1
        """Rows and columns that the host spreads the images: for their only reader, a convolution."""

    def take_images(
        self, mean: Numbers | None = None, std: Numbers | None = None, *, channels_last: bool = False
    ) -> None:
        """Say what the first operations see of images: (images - mean) / std, with channels first or last."""
        self.images = replace(self.images, last=channels_last)
        factor, offset = of_mean(mean, std, self.input[0])
        if channels_last:
            factor, offset = (numbers.view(-1) for numbers in (factor, offset))
        with torch.no_grad():
            self.images = self.affine(self.images, "mean and std", "sub", factor, offset)

    def unknown(self, shape: Sequence[int]) -> Value | None:
        """What stands behind an operation that was refused: some map of ``shape``, batch first, or none."""
        rest = tuple(shape[1:])
        if len(rest) not in (1, 3) or min(rest) < 1 or max(rest) > MOST:
            return None
        spec = Conv("unknown", 1, rest[0], 1)
        return replace(of(Made(spec, None, (None,), rest[1:] or (1, 1), rest)), shared=True)

    def convolution(
        self,
        value: Value,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        *,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        groups: int,
    ) -> Value:
        """``weight`` (out, in / groups, rows, columns).

        ``padding``: of all sides, of rows and columns, or of top, left, bottom and right.
        """
        channels, height, width = self.map_of(self.channels_first(value, position), position)
        check_bias(position, weight, bias)
        taps = prod(weight.shape[1:])
        weight = undilated(ungrouped(weight, groups), dilation)
        if weight.shape[1] != channels:
            raise refuse(
                position,
                f"a convolution of {weight.shape[1]} channels gets {channels}",
                "give it weights for as many",
            )
        top, left, bottom, right = tuple(padding) * (4 // len(padding))
        rows, columns = weight.shape[2:]
        pixel = value.vector or (value.average is not None and height == width == 1)
        if pixel and (height + top + bottom, width + left + right) == (rows, columns):
            middle = weight[:, :, top, left]
            made = self.linear(replace(value, shape=(channels,)), position, path, middle, bias)
            return replace(made, shape=(len(weight), 1, 1))
        of_file = {"groups": groups, "taps": taps}
        result = (
            (height + top + bottom - rows) // stride[0] + 1,
            (width + left + right - columns) // stride[1] + 1,
        )
        if (grown := self.grown_inside(value)) is not None:
            value, (above, before) = grown
            start = (top + above, left + before)
            return self.of_grown(
                value,
                position,
                path,
                weight,
                bias,
                stride=stride,
                start=start,
                result=result,
                of_file=of_file,
            )
        value, (above, before) = self._read(value, position)
        kernel, start, size = (rows, columns), (top + above, left + before), (value.whole[1], value.whole[2])
        alone = value.parts == (None,) and not value.shared
        by = hardware.apart(kernel, start, stride, size, result) if alone else 1
        times = hardware.strides([step // by for step in stride])
        if times is None:
            size = "×".join(str(s) for s in stride)
            raise refuse(
                position,
                f"a convolution of stride {size}, and the hardware has strides of 1 and 2, which make powers "
                "of two",
                "use a stride of 2 or 4, the same of rows and columns",
            )
        index = value.index
        beyond = _beyond(kernel, start, stride, size, result)
        weight, bias, constant = self._unscaled(value, weight, bias, beyond)
        if index is not None:
            weight = scattered(weight, index, value.whole[0])
        if constant is not None:
            self.constant = True
            weight = torch.cat([weight, constant], 1)
            value = replace(value, whole=(value.whole[0] + 1, *value.whole[1:]))
        value = replace(value, index=None, scale=None)
        if by > 1:
            value, weight = self._spread(value, by), of_spread(weight, start, by)
            start = hardware.spread(kernel, start, by)[1]
        return self._in_phases(value, position, path, weight, bias, times, start, result, of_file)

    def _read(self, value: Value, position: str) -> tuple[Value, tuple[int, int]]:
        """What a convolution reads, ``index`` the channels of it if they are not its own in their order; and
        how many rows and columns of zeros waited above and left of it."""
        value = self.averaged(value if value.parts == (None,) else self.scaled(value, position))
        above = value.padding or (0, 0, 0, 0)
        if value.index is not None:
            found = self.channels(value)
            if found is None:
                value, above = self.settled(value, position), (0, 0, 0, 0)
            else:
                value = replace(value, index=found)
        return replace(value, padding=None, shape=value.whole), above[:2]

    def _unscaled(self, value: Value, weight: Tensor, bias: Tensor | None, beyond: bool) -> Folded:
        """Of a convolution that reads ``value``: for pixels as they are, where images are scaled."""
        if value.scale is None:
            return Folded(weight, bias, None)
        constants = value.scale.per_channel()
        if constants is None:
            raise self.per_pixel(value.scale)
        return folded(*constants, weight, bias, outside=beyond)

    def _spread(self, images: Value, by: int) -> Value:
        """The images, which nobody else reads, as the host spreads them."""
        channels, height, width = images.whole
        self.spread = by
        whole = (channels * by**2, -(-height // by), -(-width // by))
        return replace(images, whole=whole, shape=whole)

    def _in_phases(
        self,
        value: Value,
        position: str,
        path: str,
        weight: Tensor,
        bias: Tensor | None,
        times: int,
        start: Pair,
        result: Pair,
        of_file: Mapping[str, int],
    ) -> Value:
        """A convolution of stride 2**``times``: as it is, or of maps of every second row and column, side by
        side as channels, which has smaller strides and kernels. ``of_file``: its groups and taps."""
        kernel, size = (weight.shape[2], weight.shape[3]), (value.whole[1], value.whole[2])
        direct = times <= 1 and hardware.placed(kernel, start, 2**times, size, result) is not None
        between = None if direct or min(result) < 1 else hardware.phases(kernel, start, times, size, result)
        if not direct and between is None and max(kernel) > hardware.MOST_KERNEL:
            raise refuse(
                position,
                f"a kernel of {kernel[0]}×{kernel[1]}, and the hardware has kernels of at most "
                f"{hardware.MOST_HALVED}×{hardware.MOST_HALVED}, padded by at most half of it, that take "
                "as many rows as columns off a map",
                "use smaller ones, one after the other, and train again",
            )
        for half in between or ():
            moving = phases(value.whole[0], min(kernel[0], 2), min(kernel[1], 2))
            odd = (start[0] % 2, start[1] % 2)
            value = self._copy(value, position, "phases", moving, odd, 2, half)
            weight = of_phases(weight)
            kernel, start = (weight.shape[2], weight.shape[3]), (start[0] // 2, start[1] // 2)
            times -= 1
        if parts := hardware.halves(kernel, start, value.whole[1:], result) if not times else None:
            value, weight = self._in_halves(value, position, weight, start, parts)
            start = (0, 0)
        return self.layer(position, path, value, weight, bias, start, 2**times, result, **of_file)

    def _in_halves(
        self, value: Value, position: str, weight: Tensor, start: Pair, parts: hardware.Halves
    ) -> tuple[Value, Tensor]:
        """The map once for every part of a kernel, as channels, moved to where the part begins; the parts."""
        moving = moved(value.whole[0], parts.counts, parts.side)
        value = self._copy(value, position, "moved", moving, start, 1, parts.size)
        return value, of_moved(weight, parts.counts, parts.side)

    def finish(self, value: Value | None) -> Converted:
        """The network of ``value`` and its model. Raises what was refused, all of it."""
        left: tuple[str, ...] = ()
        if value is not None:
            with self.blockers.noting():
                value, left = self.last(value)
        self.blockers.check()
        network, model, given = assembled(
            self.name, self.input, value, self._made, constant=self.constant, spread=self.spread
        )
        for reason in hardware.runs(network):
            self.blockers.add(UnsupportedNetwork(reason))
        self.blockers.check()
        if self.images.last:
            size = f"{size_of(self.input)} (channels, rows, columns)"
            left = (f"the order of its input, which the hardware takes as {size}", *left)
        return Converted(network, model, left, given)


def _beyond(kernel: Pair, start: Pair, stride: Sequence[int], size: Pair, result: Pair) -> bool:
    """Whether any window reaches beyond a map of ``size``; arguments as of
    :func:`pruning.importers.hardware.placed`."""
    ends = (
        (made - 1) * step + side - first
        for made, step, side, first in zip(result, stride, kernel, start, strict=True)
    )
    return max(start) > 0 or any(end > length for end, length in zip(ends, size, strict=True))
