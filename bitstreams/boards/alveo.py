"""What the Alveo cards U200 and U250 have in common: pins, memories, controllers.

One set of pins serves both: so do litex-hub/litex-boards (``xilinx_alveo_u200.py``, ``xilinx_alveo_u250.py``)
and fpganinja/taxi (``cndm/board/Alveo/fpga/syn/AU200``), which agree on all that is used here. Their reset
button is active low (``resetn`` of the board files; firesim/firesim inverts it for the controllers).
"""

from __future__ import annotations

from amaranth.build import Attrs, Clock, DiffPairs, PinsN, Resource
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Flash, PcieBlock
from bitstreams.boards.memory import Controller, Memory

_LOW_VOLTAGE = Attrs(IOSTANDARD="LVCMOS12")

RESOURCES = (
    Resource("clk300", 0, DiffPairs("AY37", "AY38", dir="i"), Clock(300e6), Attrs(IOSTANDARD="DIFF_SSTL12")),
    Resource("rst", 0, PinsN("AL20", dir="i"), _LOW_VOLTAGE),
    UARTResource(0, rx="BF18", tx="BB20", attrs=_LOW_VOLTAGE),
    *LEDResources(pins="BC21 BB21 BA20", attrs=_LOW_VOLTAGE),
)
"""Pins of the shell: the oscillator of the first memory, button, UART, LEDs."""

MEMORIES = tuple(
    Memory(
        name=f"DDR4 C{i}",
        kind="ddr4",
        part="MTA18ASF2G72PZ-2G3",
        bytes=16 << 30,  # 8 more bits are for ECC
        bits=64,
        rate=2_400_000_000,
        source="833 ps, as fpganinja/taxi (ddr4_0.tcl) and the board files of Vivado run it",
    )
    for i in range(4)
)

_CONTROLLERS = tuple(
    Controller(
        "ddr4",
        (f"ddr4_sdram_c{i}",),
        (f"default_300mhz_clk{i}",),
        # For reads that follow each other, as firesim/firesim and fpganinja/taxi have them on these cards.
        {"C0.DDR4_Mem_Add_Map": "ROW_COLUMN_BANK_INTLV", "C0.DDR4_AUTO_AP_COL_A3": "true"},
    )
    for i in range(4)
)

# Names as firesim/firesim uses them (platforms/xilinx_alveo_u200, _u250): they are in Vivado's board
# files, of versions 1.0 to 1.3, not in the store.
CONTROLLERS = (_CONTROLLERS[:1], _CONTROLLERS[:2], (), _CONTROLLERS)
BUTTON = ("resetn", "ACTIVE_LOW")

PCIE = PcieBlock(lanes=16)
"""Where PCI Express lies is up to the preset of the board: the builds named above set nothing else."""

# Before this byte lies the card's own design, which it falls back to.
FLASH = Flash("mt25qu01g-spi-x1_x2_x4", "SPIx4", 128, offset=0x0100_2000)
"""Name, size and offset as fpganinja/taxi writes it (``fpga_AU200/Makefile``)."""

BITSTREAM = {
    "CONFIGFALLBACK": "ENABLE",
    "EXTMASTERCCLK_EN": "DISABLE",
    "CONFIGRATE": "63.8",
    "SPI_FALL_EDGE": "YES",
    "UNUSEDPIN": "PULLUP",
    "OVERTEMPSHUTDOWN": "ENABLE",
}
"""How the card configures its device, and that it stops where it is hot (fpganinja/taxi, ``fpga.xdc``)."""

STREAM_BITS = 256
"""The widest streams there are; the PCI Express block would move 512 bits in a clock."""
