"""What the Arty A7-35T and A7-100T have in common: all but the device, its pins included.

Pins: amaranth-boards; they agree with Digilent's Arty-A7-35-Master.xdc and Arty-A7-100-Master.xdc.
"""

from __future__ import annotations

from typing import Any

from bitstreams.boards.board import Board, Flash
from bitstreams.boards.memory import Memory


def arty(size: str, platform: type[Any], *, dsp: int, bram36: int, lut: int, ff: int) -> Board:
    """The board with an XC7A``size``T, and what that holds (7 Series FPGAs Overview)."""
    return Board(
        name=f"arty_a7_{size}",
        title=f"Digilent Arty A7-{size}T (Artix-7)",
        part=f"xc7a{size}tcsg324-1",
        family="xc7",
        dsp=dsp,
        bram36=bram36,
        uram=0,
        lut=lut,
        ff=ff,
        source=f"7 Series FPGAs Overview, DS180, XC7A{size}T",
        memories=(
            Memory(
                name="DDR3L",
                kind="ddr3",
                part="MT41K128M16JT-125",
                bytes=256 << 20,
                bits=16,
                rate=667_000_000,
                source="Arty A7 Reference Manual; as Digilent's board files "
                f"(arty-a7-{size} E.0, mig.prj) run it",
            ),
        ),
        pins=f"Arty-A7-{size}-Master.xdc; amaranth-boards",
        baud=921_600,
        max_baud=3_000_000,  # the FT2232H can do 12 Mbit/s; at 50 MHz that would be four clocks per bit
        clock=100_000_000,
        open_clock=50_000_000,
        loader=("--board", f"arty_a7_{size}t"),
        flash=Flash("s25fl128sxxxxxx0-spi-x1_x2_x4", "SPIx4", 16),
        board_part=f"digilentinc.com:arty-a7-{size}:*",
        cfgbvs="VCCO",
        config_voltage=3.3,
        platform=platform,
    )
