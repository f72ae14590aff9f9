"""A step in bits: one definition for the weight memory's image, the external stream, and the gateware.

From the low end: the spectrum word, two end flags, the channel group, a bank select for every row; then
the weights, bit by bit: the lowest bit of both parts of every row, the next bit of all of them, and so on
(*bit planes*). A layer of narrower weights ends with the plane of their sign. Where rows may run ahead, the
next word follows the flags, every bank has a group of its own, then a bit that says which word it reads, and
every row a bit for the end of its word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.compile.step_table import StepTable
from hw.contract.config import BANKS

WORD_BITS = 5
"""Names one of the 32 spectrum words."""

SELECT_BITS = (BANKS - 1).bit_length()
"""Names one of the banks."""


def row_bits(width: int) -> int:
    """Bits of a step that every row has: which bank it reads, and a weight of ``width`` bits per part."""
    return SELECT_BITS + 2 * width


@dataclass(frozen=True)
class StepFormat:
    """rows: N. weight_bits: per part, in the widest layer. group_bits: of a channel group. run_ahead: rows
    may run ahead."""

    rows: int
    weight_bits: int
    group_bits: int
    run_ahead: bool

    @property
    def addresses(self) -> int:
        """Channel groups per step."""
        return BANKS if self.run_ahead else 1

    @property
    def bits(self) -> int:
        """Width of a step."""
        return self.bits_of(self.weight_bits)

    @property
    def bit_plane_width(self) -> int:
        """One bit of every part of every weight."""
        return 2 * self.rows

    def bits_of(self, width: int) -> int:
        """Width of a step of a layer whose weights take ``width`` bits per part."""
        more = WORD_BITS + BANKS + self.rows if self.run_ahead else 0
        return WORD_BITS + 2 + self.addresses * self.group_bits + more + self.rows * row_bits(width)

    def encode(self, table: StepTable) -> NDArray[np.uint8]:
        """(T, bits) the steps of ``table`` bit by bit, the lowest first."""
        head = [bits for value, width in self._fields(table) for bits in _bits(value, width)]
        weights = table.weight.reshape(len(table), self.bit_plane_width)
        bit_planes = [(weights >> bit & 1).astype(np.uint8) for bit in range(self.weight_bits)]
        return np.concatenate([np.stack(head, axis=1), *bit_planes], axis=1)

    def _fields(self, table: StepTable) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Values (T,) and widths of all but the weights, from the low end."""
        yield table.word, WORD_BITS
        yield table.end_of_word.astype(np.int64), 1
        yield table.end_of_pass.astype(np.int64), 1
        ahead, select = table.as_run_ahead, table.select
        if self.run_ahead:
            yield ahead.next_word, WORD_BITS
        for bank in range(self.addresses):
            yield table.groups[:, bank], self.group_bits
        if self.run_ahead:
            for bank in range(BANKS):
                yield ahead.of_next[:, bank].astype(np.int64), 1
        for row in range(self.rows):
            yield select[:, row], SELECT_BITS
            if self.run_ahead:
                yield ahead.end[:, row].astype(np.int64), 1


def _bits(value: NDArray[np.int64], width: int) -> Iterator[NDArray[np.uint8]]:
    for i in range(width):
        yield (value >> i & 1).astype(np.uint8)


def step_format(rows: int, weight_bits: int, groups: int, tables: Iterable[StepTable]) -> StepFormat:
    """Of an array of ``rows`` with weights of at most ``weight_bits`` a part, an X half of ``groups`` channel
    groups, and layers of the steps ``tables``: where any of them runs ahead, one array does both."""
    ahead = any(table.run_ahead is not None for table in tables)
    return StepFormat(rows, weight_bits, max(1, (groups - 1).bit_length()), ahead)
