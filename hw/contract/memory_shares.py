"""Into how many memories wide ones are split, so that what addresses them does not drive too much."""

SHARE_BITS = 36
"""Bits of a step or of an entry of the channel table that lie in one memory. Where blocks lie one below the
other, synthesis makes a register that chooses among them, for all bits of a memory; where a memory is logic,
every bit is a tree of LUTs. It is the width of a RAMB18, so block RAMs lose nothing by it."""
