"""What a layer of the hardware can have, found by trying: the rows of a table for people."""

from __future__ import annotations

from itertools import product
from typing import Any

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense
from hw.contract.network.limits import MAX_KERNEL
from hw.contract.spectrum import TILE
from hw.util.errors import UnsupportedNetwork

TRIED = range(1, 2 * TILE + 1)
"""Kernels, strides and windows."""

Row = tuple[str, str]
"""(what a layer has, which values or what it is)."""


def accepts(**fields: Any) -> bool:
    """Whether there is a convolution of 8 to 8 channels, 8 more if it adds some, with these ``fields``."""
    try:
        Conv("layer", 16 if fields.get("added") else 8, 8, **fields)
    except UnsupportedNetwork:
        return False
    return True


def kernels(**fields: Any) -> list[int]:
    """Sides of the kernels that go with ``fields``."""
    return [side for side in TRIED if accepts(kernel=side, **fields)]


def windows() -> list[tuple[int, int]]:
    """(side, stride) of the max pooling that a layer can end in."""
    pairs = product(TRIED, TRIED)
    return [(k, s) for k, s in pairs if k > 1 and accepts(kernel=1, pool=s, pool_size=k)]


def rows() -> list[Row]:
    """Of convolutions, then of fully connected layers."""
    sides, strides = kernels(), [s for s in TRIED if accepts(kernel=1, stride=s)]
    pointwise = " and ".join(f"{k}×{k}" for k in kernels(pointwise=True))
    leaks = [n for n in TRIED if accepts(kernel=1, leak=n)]
    slopes = f"1/{1 << leaks[0]} to 1/{1 << leaks[-1]}, a power of two"
    beside = [f"{k}×{k} of stride {s} {_most(pool=s, pool_size=k)}" for k, s in windows()]
    return [
        ("kernel", f"{sides[0]}×{sides[0]} to {sides[-1]}×{sides[-1]}"),
        (
            "pointwise",
            f"{pointwise} without a transform: a weight for a pair of channels in place of 32 words",
        ),
        ("stride", " or ".join(map(str, strides))),
        ("zeros above and left, zeros below and right", "each fewer than the kernel has rows"),
        (
            "after it",
            f"nothing, ReLU, or a leaky one of slope {slopes}; a number at which channels saturate (ReLU6)",
        ),
        ("max pooling behind it", f"{'; '.join(beside)}; windows may reach beyond the map"),
        ("stride and max pooling in one layer", "yes" if accepts(kernel=1, stride=2, pool=2) else "no"),
        ("a map added to its outputs", f"of their shape, in front of the ReLU; {_addition()}"),
        ("groups", "any number that divides input and output channels"),
        ("maps that it reads", "one, or several of one size, their channels one after the other"),
        ("mean of a whole map", f"of at most {TILE}×{TILE} pixels, a layer of its own"),
        ("fully connected", _dense()),
    ]


def _most(**fields: Any) -> str:
    largest = kernels(**fields)[-1]
    return f"(kernels up to {largest}×{largest})"


def _addition() -> str:
    tried: list[tuple[str, dict[str, Any]]] = [("stride", {"stride": 2}), ("pooling", {"pool": 2})]
    found = [name for name, fields in tried if accepts(kernel=3, added=True, sources=("a", "b"), **fields)]
    return f"with {' and '.join(found)} too" if found else "without stride and pooling"


def _dense() -> str:
    side = MAX_KERNEL + 5  # larger than a tile
    Dense("layer", side * side, 1, relu=False).output((1, side, side))
    return "of a map of any size, or of another one; the last one gives scores, and has no ReLU"
