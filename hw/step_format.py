"""A step in bits: one definition for the weight memory's image, the external stream, and the gateware.

From the low end: the spectrum word, two end flags, the channel group (one, or one per bank), and per row
a bank select and a weight word.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.config import BANKS
from hw.step_table import StepTable

WORD_BITS = 5
"""Names one of the 32 spectrum words."""

SELECT_BITS = (BANKS - 1).bit_length()
"""Names one of the banks."""


@dataclass(frozen=True)
class StepFormat:
    """rows: N. weight_bits: per part. group_bits: of a channel group. addresses: groups per step, 1 or 8."""

    rows: int
    weight_bits: int
    group_bits: int
    addresses: int

    @property
    def bits(self) -> int:
        """Width of a step."""
        row = SELECT_BITS + 2 * self.weight_bits
        return WORD_BITS + 2 + self.addresses * self.group_bits + self.rows * row

    def encode(self, table: StepTable) -> NDArray[np.uint8]:
        """(T, bits) the steps of ``table`` bit by bit, the lowest first."""
        columns = [bits for value, width in self._fields(table) for bits in _bits(value, width)]
        return np.stack(columns, axis=1)

    def _fields(self, table: StepTable) -> Iterator[tuple[NDArray[np.int64], int]]:
        """Values (T,) and widths, from the low end."""
        yield table.word, WORD_BITS
        yield table.end_of_word.astype(np.int64), 1
        yield table.end_of_pass.astype(np.int64), 1
        for bank in range(self.addresses):
            yield table.groups[:, bank], self.group_bits
        for row in range(self.rows):
            yield table.select[:, row], SELECT_BITS
            for part in range(2):
                yield table.weight[:, row, part], self.weight_bits


def _bits(value: NDArray[np.int64], width: int) -> Iterator[NDArray[np.uint8]]:
    for i in range(width):
        yield (value >> i & 1).astype(np.uint8)
