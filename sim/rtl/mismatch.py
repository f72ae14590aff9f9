"""Where two results part: the first mismatch of two integer arrays, named in the terms of the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.spectrum import BINS
from hw.util.errors import DataError

SCORES = ("image", "class")
"""Axes of class scores."""

MAP = ("image", "channel", "row", "column")
"""Axes of a feature map."""

TILES = ("image", "tile row", "tile column", "channel", "word", "part")
"""Axes of the words in a :class:`~sim.model.LayerTrace`."""


@dataclass(frozen=True)
class Mismatch:
    """The first pair of values (in C order) that differ, and how many do.

    position: (axis, index) per axis; expected, actual: the two values; count of total values differ, the
    worst of them by ``worst``.
    """

    layer: str
    position: tuple[tuple[str, int], ...]
    expected: int
    actual: int
    count: int
    total: int
    worst: int

    @property
    def lsb(self) -> int:
        """Signed distance, actual - expected, in units of the last place."""
        return self.actual - self.expected

    def __str__(self) -> str:
        where = ", ".join(_name(axis, index) for axis, index in self.position)
        return (
            f"{self.layer}: {where}: expected {self.expected}, got {self.actual} ({self.lsb:+d} LSB); "
            f"{self.count} of {self.total} values differ, by at most {self.worst}"
        )


def first_mismatch(
    expected: NDArray[Any], actual: NDArray[Any], axes: Sequence[str], *, layer: str = "result"
) -> Mismatch | None:
    """Compare two integer arrays for equality; None when they agree.

    ``axes`` names every axis (:data:`SCORES`, :data:`MAP`, :data:`TILES` or your own); an axis called
    ``word`` is reported with its frequency, ``part`` as real or imaginary.
    Raises :class:`~hw.util.errors.DataError` when the shapes differ, do not have ``axes``, or are not
    integer.
    """
    expected, actual = np.asarray(expected), np.asarray(actual)
    if expected.shape != actual.shape or expected.ndim != len(axes):
        raise DataError(
            f"{layer}: cannot compare {actual.shape} with the expected {expected.shape} "
            f"over the axes ({', '.join(axes)}): the shapes must be equal, with one axis per name"
        )
    if not all(np.issubdtype(a.dtype, np.integer) for a in (expected, actual)):
        raise DataError(
            f"{layer}: only integers compare bit for bit, not {expected.dtype} and {actual.dtype}"
        )
    distance = actual.astype(np.int64) - expected.astype(np.int64)
    differs = np.flatnonzero(distance)
    if not len(differs):
        return None
    index = tuple(int(i) for i in np.unravel_index(differs[0], distance.shape))
    return Mismatch(
        layer,
        tuple(zip(axes, index, strict=True)),
        int(expected[index]),
        int(actual[index]),
        len(differs),
        distance.size,
        int(np.abs(distance).max()),
    )


def _name(axis: str, index: int) -> str:
    if axis == "part":
        return "imaginary part" if index else "real part"
    if axis == "word":
        bins = " and ".join(f"({u}, {v})" for u, v in filter(None, BINS[index]))
        return f"word {index} = bin {bins}"
    return f"{axis} {index}"
