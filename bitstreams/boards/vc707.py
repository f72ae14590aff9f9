"""AMD VC707: Virtex-7 XC7VX485T, CP2103 USB UART.

Pins: VC707 Evaluation Board User Guide (UG885), master constraints; compared with
litex-hub/litex-boards ``xilinx_vc707.py``, VLSI-EDA/PoC ``ucf/VC707`` and openXC7/demo-projects.

openXC7: its database of this device misses a bit of the input buffer at AU33, the UART's input
(``virtex7/FIXES.md`` in openXC7/prjxray-db, "known remaining gap", 2026-06). Until that is closed a
bitstream of the open tools may not hear the host.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash
from bitstreams.boards.memory import Memory


class VC707Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the VC707. All of them lie in high-performance banks, which end at 1.8 V."""

    device = "xc7vx485t"
    package = "ffg1761"
    speed = "2"
    default_clk = "clk200"
    default_rst = "rst"
    resources = (
        Resource("clk200", 0, DiffPairs("E19", "E18", dir="i"), Clock(200e6), Attrs(IOSTANDARD="LVDS")),
        Resource("rst", 0, Pins("AV40", dir="i"), Attrs(IOSTANDARD="LVCMOS18")),
        UARTResource(0, rx="AU33", tx="AU36", attrs=Attrs(IOSTANDARD="LVCMOS18")),
        *LEDResources(pins="AM39 AN39 AR37 AT37 AR35 AP41 AP42 AU39", attrs=Attrs(IOSTANDARD="LVCMOS18")),
    )
    connectors = ()


BOARD = Board(
    name="vc707",
    title="AMD VC707 (Virtex-7)",
    part="xc7vx485tffg1761-2",
    family="xc7",
    dsp=2800,
    bram36=1030,
    uram=0,
    lut=303_600,
    ff=607_200,
    source="7 Series FPGAs Overview, DS180, XC7VX485T",
    memories=(
        Memory(
            name="DDR3",
            kind="ddr3",
            part="MT8JTF12864HZ-1G6",
            bytes=1 << 30,
            bits=64,
            rate=1_600_000_000,
            source="UG885; as AMD's board files (vc707 1.4, mig.prj) run it",
        ),
    ),
    pins="UG885",
    baud=921_600,
    max_baud=1_000_000,  # CP2103
    clock=200_000_000,
    open_clock=50_000_000,
    loader=("--cable", "digilent"),  # openFPGALoader has no entry of this name
    flash=Flash("mt28gu01gaax1e-bpi-x16", "BPIx16", 128, alias="28f00ag18f-bpi-x16"),
    board_part="xilinx.com:vc707:*",
    cfgbvs="GND",
    config_voltage=1.8,
    platform=VC707Platform,
)
