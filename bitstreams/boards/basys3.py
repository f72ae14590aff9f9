"""Digilent Basys 3: Artix-7 XC7A35T, FT2232HQ USB UART, no memory of its own.

Pins: Digilent's Basys-3-Master.xdc. The middle one of its five buttons (btnC) is the reset.
"""

from amaranth.build import Attrs, Clock, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash

_STANDARD = Attrs(IOSTANDARD="LVCMOS33")


class Basys3Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the Basys 3."""

    device = "xc7a35t"
    package = "cpg236"
    speed = "1"
    default_clk = "clk100"
    default_rst = "rst"
    resources = (
        Resource("clk100", 0, Pins("W5", dir="i"), Clock(100e6), _STANDARD),
        Resource("rst", 0, Pins("U18", dir="i"), _STANDARD),
        UARTResource(0, rx="B18", tx="A18", attrs=_STANDARD),
        *LEDResources(pins="U16 E19", attrs=_STANDARD),
    )
    connectors = ()


BOARD = Board(
    name="basys3",
    title="Digilent Basys 3 (Artix-7)",
    part="xc7a35tcpg236-1",
    family="xc7",
    dsp=90,
    bram36=50,
    uram=0,
    lut=20_800,
    ff=41_600,
    source="7 Series FPGAs Overview, DS180, XC7A35T",
    memories=(),
    pins="Basys-3-Master.xdc",
    baud=921_600,
    max_baud=3_000_000,  # the FT2232HQ can do 12 Mbit/s; at 50 MHz that would be four clocks per bit
    clock=100_000_000,
    open_clock=50_000_000,
    loader=("--board", "basys3"),
    flash=Flash("s25fl032p-spi-x1_x2_x4", "SPIx4", 4, alias="mx25l3233f-spi-x1_x2_x4"),  # of later boards
    board_part="digilentinc.com:basys3:*",
    cfgbvs="VCCO",
    config_voltage=3.3,
    platform=Basys3Platform,
)
