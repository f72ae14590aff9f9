"""Digilent Arty A7-35T: Artix-7 XC7A35T, FT2232H USB UART.

Pins: amaranth-boards, those of the Arty A7-100T; they agree with Digilent's Arty-A7-35-Master.xdc. The chip
on the board is the industrial low-power XC7A35TI of grade -1L. Its commercial twin stands here: the same die
in the same package, which is what the databases of the open tools know it by.
"""

from amaranth_boards.arty_a7 import ArtyA7_35Platform as _Upstream

from bitstreams.boards.board import Board, Flash
from bitstreams.boards.memory import Memory


class ArtyA735Platform(_Upstream):  # type: ignore[misc]
    """Pins of the Arty A7-35T."""

    device = "xc7a35t"
    speed = "1"


BOARD = Board(
    name="arty_a7_35",
    title="Digilent Arty A7-35T (Artix-7)",
    part="xc7a35tcsg324-1",
    family="xc7",
    dsp=90,
    bram36=50,
    uram=0,
    lut=20_800,
    ff=41_600,
    source="7 Series FPGAs Overview, DS180, XC7A35T",
    memories=(
        Memory(
            name="DDR3L",
            kind="ddr3",
            part="MT41K128M16JT-125",
            bytes=256 << 20,
            bits=16,
            rate=667_000_000,
            source="Arty A7 Reference Manual; as Digilent's board files (arty-a7-35 E.0, mig.prj) run it",
        ),
    ),
    pins="Arty-A7-35-Master.xdc; amaranth-boards",
    baud=921_600,
    max_baud=3_000_000,  # the FT2232H can do 12 Mbit/s; at 50 MHz that would be four clocks per bit
    clock=100_000_000,
    open_clock=50_000_000,
    loader=("--board", "arty_a7_35t"),
    flash=Flash("s25fl128sxxxxxx0-spi-x1_x2_x4", "SPIx4", 16),
    board_part="digilentinc.com:arty-a7-35:*",
    cfgbvs="VCCO",
    config_voltage=3.3,
    platform=ArtyA735Platform,
)
