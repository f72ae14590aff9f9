"""Digilent Arty A7-100T: Artix-7 XC7A100T, FT2232H USB UART.

Pins: amaranth-boards; they agree with Digilent's Arty-A7-100-Master.xdc. Corrected: the device is an
XC7A100T of grade -1; the industrial low-power XC7A...TI-1L is on the 35T board alone.
"""

from amaranth_boards.arty_a7 import ArtyA7_100Platform as _Upstream

from bitstreams.boards.board import Board, Flash
from bitstreams.boards.memory import Memory


class ArtyA7100Platform(_Upstream):  # type: ignore[misc]
    """Pins of the Arty A7-100T."""

    device = "xc7a100t"
    speed = "1"


BOARD = Board(
    name="arty_a7_100",
    title="Digilent Arty A7-100T (Artix-7)",
    part="xc7a100tcsg324-1",
    family="xc7",
    dsp=240,
    bram36=135,
    uram=0,
    lut=63_400,
    ff=126_800,
    source="7 Series FPGAs Overview, DS180, XC7A100T",
    memories=(
        Memory(
            name="DDR3L",
            kind="ddr3",
            part="MT41K128M16JT-125",
            bytes=256 << 20,
            bits=16,
            rate=667_000_000,
            source="Arty A7 Reference Manual; as Digilent's board files (arty-a7-100 E.0, mig.prj) run it",
        ),
    ),
    pins="Arty-A7-100-Master.xdc; amaranth-boards",
    baud=921_600,
    max_baud=3_000_000,  # the FT2232H can do 12 Mbit/s; at 50 MHz that would be four clocks per bit
    clock=100_000_000,
    open_clock=50_000_000,
    loader=("--board", "arty_a7_100t"),
    flash=Flash("s25fl128sxxxxxx0-spi-x1_x2_x4", "SPIx4", 16),
    board_part="digilentinc.com:arty-a7-100:*",
    cfgbvs="VCCO",
    config_voltage=3.3,
    platform=ArtyA7100Platform,
)
