"""The channel table: bias and shift of every output channel, an *entry* for every D channels, which the drain
takes in a clock.

A design that holds its weights holds the table as well. One that streams them reads it from external memory,
in front of its layers: nothing of a model is in the bitstream but its shape.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import BIAS


def drain_group_bits(drain: int, shift_bits: int) -> int:
    """Width of an entry: ``drain`` biases, then as many shifts."""
    return drain * (BIAS.bits + shift_bits)


def drain_group_beats(bits: int, bus_bits: int) -> int:
    """Beats of an entry in external memory: it begins one."""
    return -(-bits // bus_bits)


def table_image(bias: NDArray[np.int64], shift: NDArray[np.int64], shift_bits: int) -> list[int]:
    """Contents of the table, an integer per entry. bias, shift: (entries, D); shifts of ``shift_bits``."""
    image, drain = [], bias.shape[1]
    for biases, shifts in zip(bias.tolist(), shift.tolist(), strict=True):
        value = 0
        for i in range(drain):
            value |= (biases[i] & ((1 << BIAS.bits) - 1)) << (i * BIAS.bits)
            value |= shifts[i] << (drain * BIAS.bits + i * shift_bits)
        image.append(value)
    return image
