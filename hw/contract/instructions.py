"""Layers of a network and instructions of its layer program.

A layer is one instruction, or several where it is made in row bands (:mod:`hw.compile.row_bands`).
``numbers`` is the layer of every instruction, in the order of a run.
"""

from __future__ import annotations

from collections.abc import Sequence

from hw.contract.network import Network
from hw.util.errors import DataError


def instructions_of(
    network: Network, numbers: Sequence[int], layers: tuple[int, int] | None
) -> tuple[int, int]:
    """First and last instruction of a run of ``layers`` (first, last), or of all.

    Raises ``DataError`` for layers that the network has not, for part of those made in row bands together,
    and for layers that read maps which no run of these makes.
    """
    count = len(network.layers)
    first, last = layers or (0, count - 1)
    if not 0 <= first <= last < count:
        raise DataError(f"layers {first} to {last} are no part of the network: choose from 0 to {count - 1}")
    given = {*network.sources[first], *range(first + 1, last + 1)}
    for number in range(first, last + 1):
        if not given.issuperset(network.sources[number]):
            raise DataError(
                f"layers {first} to {last} are no run of their own: layer {number} also reads what other "
                "layers make"
            )
    found = [i for i, number in enumerate(numbers) if first <= number <= last]
    for start, stop in together(numbers):
        if start < first <= stop or start <= last < stop:
            raise DataError(
                f"layers {start} to {stop} are made in row bands together: a run has all of them or none"
            )
    return found[0], found[-1]


def together(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """The first and last layer of every stretch that a run cannot divide: one layer, or several made
    in row bands."""
    stretches: list[tuple[int, int]] = []
    for start in range(max(numbers) + 1):
        if stretches and start <= stretches[-1][1]:
            continue
        # In every row band each layer follows the one before it, so the stretch ends with the last band.
        last = len(numbers) - 1 - list(numbers[::-1]).index(start)
        stop = max(numbers[: last + 1])
        stretches.append((start, stop))
    return stretches
