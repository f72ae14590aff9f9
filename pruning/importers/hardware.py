"""What the hardware takes of an operation: the one place that decides it for the importers.

What is no field of a layer here, :mod:`pruning.importers.assemble` writes as several layers, exactly, or
refuses.
"""

from __future__ import annotations

from collections.abc import Sequence

from hw.contract.network import MAX_KERNEL, Conv, Network
from hw.contract.spectrum import TILE
from hw.util.errors import UnsupportedNetwork

MOST_KERNEL = MAX_KERNEL
MOST_STRIDE = 2
DENSE_SIDE = TILE
"""Rows and columns of the largest map that a fully connected layer takes."""

POOL = 2
"""Rows and columns, and stride, of the maximum that a convolution ends in."""


def halvings(kernel: Sequence[int], stride: Sequence[int]) -> int | None:
    """How often 2×2 pooling of stride 2 does what pooling of ``kernel`` and ``stride`` does; None: never."""
    sizes = {*kernel, *stride}
    size = sizes.pop()
    return None if sizes or size & (size - 1) or not size else size.bit_length() - 1


def strides(stride: Sequence[int]) -> int | None:
    """How often a stride of 2 makes ``stride``; None: never."""
    return halvings(stride, stride)


def takes_pool(layer: Conv, added: bool) -> bool:
    """Whether 2×2 pooling can become part of ``layer``, which adds a map to its outputs or not."""
    return layer.pool == 1 and layer.stride == 1 and not added


def takes_addition(layer: Conv, size: Sequence[int]) -> bool:
    """Whether a map can be added to the outputs of ``layer``, which reads maps of ``size`` pixels."""
    plain = not layer.relu and layer.pool == layer.stride == 1
    return plain and layer.output((layer.in_channels, size[0], size[1]))[1:] == tuple(size)


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
