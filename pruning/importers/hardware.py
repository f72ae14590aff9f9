"""What the hardware takes of an operation: the one place that decides it for the importers.

What is no field of a layer here, :mod:`pruning.importers.assemble` writes as several layers, exactly, or
refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from math import log2, prod
from typing import NamedTuple

from hw.contract.network import MAX_KERNEL, MOST_LEAK, Conv, Network
from hw.contract.network.graph import MOST_SPREAD
from hw.contract.spectrum import TILE
from hw.util.errors import UnsupportedNetwork

Pair = tuple[int, int]
"""Of rows and columns, or at the top and at the left."""

MOST_KERNEL = MAX_KERNEL
MOST_HALVED = 2 * (MOST_KERNEL - 1)
"""Rows and columns of the largest kernel of stride 1: in halves, which one layer moves beside one another."""

MOST_STRIDE = 2
DENSE_SIDE = TILE
"""Rows and columns of the largest map that a fully connected layer takes."""

LARGEST_WINDOW = 3
"""Rows and columns of the largest maximum that a convolution ends in; its strides are 1 and 2."""


FEWER = 0.75
"""Share of the work that a layer of its own for pooling may leave; more, and it does not pay."""

AS_LONG = 64
"""Input channels of a convolution, 2 of 8 words kept, whose products take as long as its last transforms."""

WEIGHTS_OF_A_CHANNEL = 1024
"""A fully connected layer behind a mean has at most so many weights for all pixels of a channel: of more, a
layer that makes the mean takes fewer clocks, on arrays of 8 to 64 rows."""


def halvings(kernel: Sequence[int], stride: Sequence[int]) -> int | None:
    """How often 2×2 pooling of stride 2 does what pooling of ``kernel`` and ``stride`` does; None: never."""
    sizes = {*kernel, *stride}
    size = sizes.pop()
    return None if sizes or size & (size - 1) or not size else size.bit_length() - 1


def window(
    kernel: Sequence[int], stride: Sequence[int], before: Pair, size: Pair, result: Pair
) -> dict[str, int] | None:
    """Fields of a layer that ends in maxima over ``kernel``, the first one beginning ``before`` rows above
    and columns left of a map of ``size``, and gives ``result``; None where none does."""
    if len({*kernel}) > 1 or len({*stride}) > 1 or len({*before}) > 1:
        return None
    side, step, first = kernel[0], stride[0], before[0]
    if (side, step) not in ((2, 2), (3, 1), (3, 2)) or not 0 <= first < side:
        return None
    for after in range(side):
        if all((n + first + after - side) // step + 1 == made for n, made in zip(size, result, strict=True)):
            return {"pool": step, "pool_size": side, "pool_padding": first, "pool_end_padding": after}
    return None


def maxima_of_three(
    kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
) -> list[int]:
    """Paddings of maxima over 3×3 pixels of stride 1 which, one after the other, are those over 5×5, 7×7, …;
    none where there are no such."""
    side, edge = kernel[0], padding[0]
    if len({*kernel}) > 1 or {*stride, *dilation} != {1} or len({*padding}) > 1 or side < 5 or side % 2 == 0:
        return []
    times = side // 2
    return [1] * edge + [0] * (times - edge) if edge <= times else []


def leak_of(slopes: Sequence[float]) -> int | None:
    """n of a leaky ReLU of slope 2^-n, if all its channels have that one and the hardware does."""
    leak = nearest_leak(slopes)
    return leak if set(slopes) == {0.5**leak} else None


def nearest_leak(slopes: Sequence[float]) -> int:
    """n of the nearest slope 2^-n that the hardware has, by ratio, to the mean of those of the channels."""
    mean = sum(slopes) / len(slopes)
    return min(range(1, MOST_LEAK + 1), key=lambda n: abs(n + log2(mean)))


def strides(stride: Sequence[int]) -> int | None:
    """How often a stride of 2 makes ``stride``; None: never."""
    return halvings(stride, stride)


def takes_pool(layer: Conv, added: bool, fields: dict[str, int], size: Sequence[int]) -> bool:
    """Whether pooling of these ``fields`` is to become part of ``layer``, which reads maps of ``size`` pixels
    and adds a map to its outputs or not.

    No window straddles two tiles, so one must fit beside the kernel; and where windows overlap, tiles do. A
    layer of its own reads and writes the map once more, but may take so much fewer tiles that it pays.
    """
    side = fields.get("pool_size", fields["pool"])
    if layer.window > 1 or layer.stride > 1 or added or layer.kernel + side - 1 > TILE:
        return False
    if side == fields["pool"]:
        return True
    channels, shape = layer.out_channels, (layer.in_channels, size[0], size[1])
    alone = Conv("pooling", channels, channels, 1, **fields)
    work = max(1.0, layer.in_channels / AS_LONG)
    together = work * prod(replace(layer, **fields).tiles(shape))
    return work * prod(layer.tiles(shape)) + prod(alone.tiles(layer.output(shape))) > FEWER * together


def takes_addition(layer: Conv, size: Sequence[int]) -> bool:
    """Whether a map can be added to the outputs of ``layer``, which reads maps of ``size`` pixels."""
    plain = not layer.relu and layer.window == layer.stride == 1
    return plain and layer.output((layer.in_channels, size[0], size[1]))[1:] == tuple(size)


def takes_mean(size: Pair, outputs: int) -> bool:
    """Whether the mean of maps of ``size``, which a fully connected layer of so many ``outputs`` reads, is to
    be made by a layer of its own, which rounds it; else every pixel gets weights of its own."""
    square = size[0] == size[1] and 1 < size[0] <= TILE
    return square and prod(size) * outputs > WEIGHTS_OF_A_CHANNEL


def placed(
    kernel: Sequence[int], start: Sequence[int], stride: int, size: Sequence[int], result: Sequence[int]
) -> tuple[int, int, int] | None:
    """(K, padding, end padding) of the smallest square kernel that a kernel of (rows, columns) fits into.

    ``start``: how far above and left of a map of ``size`` its first window starts; negative: inside of it.
    The given kernel lies ``padding - start[0]`` rows and ``padding - start[1]`` columns into the square,
    zeros around it; with it the map becomes ``result``. None where no square does that.
    """
    for square in range(max(kernel), MOST_KERNEL + 1):
        for before in range(square):
            inside = all(
                0 <= before - first <= square - side for first, side in zip(start, kernel, strict=True)
            )
            for after in sorted(range(square), key=lambda n: n != before) if inside else ():
                sizes = [(n + before + after - square) // stride + 1 for n in size]
                whole = min(size) + before + after >= square
                if whole and sizes == list(result):
                    return square, before, after
    return None


def apart(kernel: Pair, start: Pair, stride: Sequence[int], size: Pair, result: Pair) -> int:
    """By how many rows and columns the host spreads images of ``size`` for a convolution of ``stride``, so
    that it becomes one of a smaller kernel and stride; 1: it does not. Other arguments as of :func:`placed`.

    A tile gives as many outputs as fit beside the kernel: every pixel less of it gives more of them.
    """
    if max(kernel) == 1 or len({*stride}) > 1:
        return 1
    for found in range(min(MOST_SPREAD, stride[0]), 1, -1):
        left = stride[0] // found
        if stride[0] % found or left > MOST_STRIDE:
            continue
        smaller, above = spread(kernel, start, found)
        if placed(smaller, above, left, _each(lambda n, by=found: -(-n // by), size), result):
            return found
    return 1


def spread(kernel: Pair, start: Pair, by: int) -> tuple[Pair, Pair]:
    """(rows and columns of a kernel for images that are spread ``by`` rows and columns, how far above and
    left of these its first window starts), for one of ``kernel`` that starts at ``start``."""
    above = _each(lambda first: -(-first // by), start)
    ends = (side - first + by * up for side, first, up in zip(kernel, start, above, strict=True))
    rows, columns = (-(-end // by) for end in ends)
    return (rows, columns), above


class Halves(NamedTuple):
    """A kernel in parts of ``side`` rows and columns, ``counts`` of them below and beside one another, for
    maps of ``size`` that one layer moves to where the parts are."""

    side: int
    counts: Pair
    size: Pair


def halves(kernel: Pair, start: Pair, size: Pair, result: Pair) -> Halves | None:
    """How a convolution of stride 1 and a kernel above the largest becomes one of half its rows and columns.

    Arguments as of :func:`placed`. None where the kernel is smaller than that, or where this does not do it.
    """
    side = -(-max(kernel) // 2)
    counts = _each(lambda length: -(-length // side), kernel)
    moved = _each(lambda length: length + side - 1, result)
    spans = _each(lambda count: (count - 1) * side + 1, counts)
    fits = max(kernel) > MOST_KERNEL and min(result) > 0 and placed(spans, start, 1, size, moved)
    return Halves(side, counts, moved) if fits else None


def phases(kernel: Pair, start: Pair, times: int, size: Pair, result: Pair) -> tuple[Pair, ...] | None:
    """How a convolution of stride 2**``times`` becomes one of stride 1, of every second row and column.

    Other arguments as of :func:`placed`. Returns the sizes of the maps in between, each of half the rows and
    columns of the one before; None where that does not do it. A map in between starts above the one before
    it by what is odd of ``start``, and the rest of ``start`` is halved: zeros stay outside while they can.
    """
    if not times:
        fits = placed(kernel, start, 1, size, result) or halves(kernel, start, size, result)
        return () if fits else None
    odd = _each(lambda first: first % 2, start)
    left = _each(lambda first: first // 2, start)
    half = _each(lambda side: -(-side // 2), kernel)
    stride = 2 ** (times - 1)
    whole, needed = [], []
    for axis in range(2):
        whole.append(-(-(size[axis] + odd[axis]) // 2))
        needed.append(min(whole[-1], (result[axis] - 1) * stride + half[axis] - left[axis]))
    for rows, columns in product((whole[0], needed[0]), (whole[1], needed[1])):
        if min(rows, columns) > 0 and placed(
            _each(lambda side: min(side, 2), kernel), odd, 2, size, (rows, columns)
        ):
            rest = phases(half, left, times - 1, (rows, columns), result)
            if rest is not None:
                return ((rows, columns), *rest)
    return None


def _each(function: Callable[[int], int], pair: Pair) -> Pair:
    return function(pair[0]), function(pair[1])


def runs(network: Network) -> list[str]:
    """Why the hardware does not run ``network``, which is one; mostly nothing."""
    from hw.compile.map_placement import buffers_of
    from hw.compile.program import signed_channels

    found = []
    try:
        buffers_of(network)
        for number in range(len(network.layers)):
            signed_channels(network, number)
    except UnsupportedNetwork as error:
        found.append(str(error))
    return found
