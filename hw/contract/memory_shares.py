"""Into how many memories wide and deep ones are split: so that little has to be chosen from what they read,
and what addresses them does not drive too much."""

SHARE_BITS = 36
"""Bits of a step or of an entry of the channel table that lie in one memory. Where blocks lie one below the
other, a register chooses among them, for all bits of a memory; where a memory is logic, every bit is a tree
of LUTs. It is the width of a RAMB18, so block RAMs lose nothing by it."""

BLOCK_SHAPES = ((512, 72), (1024, 36), (2048, 18), (4096, 9), (8192, 4), (16384, 2), (32768, 1))
"""(depth, width) of a RAMB36; a RAMB18 has half the width and ends at 16384 × 1 (7 Series Memory, UG473)."""

PARITY_DEPTH = 4096
"""The deepest block with bits for parity, which make a byte nine bits."""


def memory_depths(depth: int, width: int) -> list[int]:
    """Depths of the memories that ``depth`` words of ``width`` bit lie in, from address 0 on.

    Powers of two, the largest first, each as many blocks side by side, and what is left for one block below
    another. So no more is chosen from than has to be, and behind the blocks' output registers: synthesis
    would do it in front of them, and divide what is no power of two into blocks of whole words.
    """
    block = max(deep for deep, wide in BLOCK_SHAPES if wide >= width or deep == BLOCK_SHAPES[0][0])
    most = BLOCK_SHAPES[-1][0] if width & (width - 1) == 0 else PARITY_DEPTH
    parts, left = [], depth
    while left > most or (left > block and left.bit_count() > 1):
        parts.append(min(most, 1 << left.bit_length() - 1))
        left -= parts[-1]
    return [*parts, left] if left else parts
