"""Registers of AMD's AXI DMA (PG021, direct register mode), whoever reads and writes them."""

from __future__ import annotations

from dataclasses import dataclass

RUN, RESET = 1 << 0, 1 << 2
"""Bits of DMACR (PG021, table 2-7)."""

IDLE, ERRORS = 1 << 1, 0b111 << 4
"""Bits of DMASR (PG021, table 2-8): the transfer has ended; internal, slave and decode errors."""

WHY = {
    1 << 4: "more bytes came than it was told",
    1 << 5: "memory answered with an error",
    1 << 6: "there is no memory at this address",
}
"""Of these errors."""


@dataclass(frozen=True)
class Direction:
    """Registers of one: control, status, address (its high word follows) and length."""

    control: int
    status: int
    address: int
    length: int


TO_MEMORY = Direction(0x30, 0x34, 0x48, 0x58)
FROM_MEMORY = Direction(0x00, 0x04, 0x18, 0x28)


def why(status: int) -> str:
    """The first error in the word of a status register."""
    return next(text for bit, text in WHY.items() if status & bit)
