"""AMD VC709: Virtex-7 XC7VX690T, CP2103 USB UART, PCI Express, two DDR3 modules.

Pins: VC709 Evaluation Board User Guide (UG887), master constraints; compared with the constraints of
fpganinja/taxi and alexforencich/verilog-ethernet for this board.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash, PcieBlock


class VC709Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the VC709. All of them lie in high-performance banks, which end at 1.8 V."""

    device = "xc7vx690t"
    package = "ffg1761"
    speed = "2"
    default_clk = "clk200"
    default_rst = "rst"
    resources = (
        Resource("clk200", 0, DiffPairs("H19", "G18", dir="i"), Clock(200e6), Attrs(IOSTANDARD="LVDS")),
        Resource("rst", 0, Pins("AV40", dir="i"), Attrs(IOSTANDARD="LVCMOS18")),
        UARTResource(0, rx="AU33", tx="AU36", attrs=Attrs(IOSTANDARD="LVCMOS18")),
        *LEDResources(pins="AM39 AN39 AR37 AT37 AR35 AP41 AP42 AU39", attrs=Attrs(IOSTANDARD="LVCMOS18")),
    )
    connectors = ()


BOARD = Board(
    name="vc709",
    title="AMD VC709 (Virtex-7)",
    part="xc7vx690tffg1761-2",
    family="xc7",
    dsp=3600,
    bram36=1470,
    uram=0,
    lut=433_200,
    ff=866_400,
    source="7 Series FPGAs Overview, DS180, XC7VX690T",
    dram=8 << 30,  # two modules of 4 GiB
    dram_interfaces=2,
    dram_bits=64,
    dram_rate=1_866_000_000,  # of its modules, MT8KTF51264HZ-1G9; public designs run them at 1,600
    dram_source="UG887",
    pins="UG887",
    baud=921_600,
    max_baud=1_000_000,  # CP2103
    clock=200_000_000,
    open_clock=None,  # Project X-Ray's database of Virtex-7 holds the XC7VX485T alone
    loader=("--board", "vc709"),
    flash=Flash("mt28gu01gaax1e-bpi-x16", "BPIx16", 128, alias="28f00ag18f-bpi-x16"),
    board_part="xilinx.com:vc709:*",
    cfgbvs="GND",
    config_voltage=1.8,
    platform=VC709Platform,
    pcie=PcieBlock(  # names of version 1.8 of the board files
        dram="mig7",
        dram_interfaces=("ddr3_sdram_socket_j1",),
        dram_clock="sys_diff_clock",
        xdma={"mode_selection": "Advanced", "pcie_blk_locn": "X0Y1"},
    ),
    stream_bits=256,  # what the PCI Express block moves in a clock
)
