"""AMD VC709: Virtex-7 XC7VX690T, CP2103 USB UART, PCI Express, two DDR3 modules.

Pins: VC709 Evaluation Board User Guide (UG887), master constraints; compared with the constraints of
fpganinja/taxi and alexforencich/verilog-ethernet for this board.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash, PcieBlock
from bitstreams.boards.memory import Controller, Memory


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
    memories=(  # modules for 1,866 MT/s (UG887), which no preset of the board files runs them at
        Memory(
            name="DDR3 J1",
            kind="ddr3",
            part="MT8KTF51264HZ-1G9",
            bytes=4 << 30,
            bits=64,
            rate=1_600_000_000,
            source="UG887; as AMD's board files (vc709 1.8, mig_j1.prj) run it",
        ),
        Memory(
            name="DDR3 J3",
            kind="ddr3",
            part="MT8KTF51264HZ-1G9",
            bytes=4 << 30,
            bits=64,
            rate=1_515_000_000,  # 1,320 ps, from the oscillator of 233.33 MHz
            source="UG887; as AMD's board files (vc709 1.8, mig_j1_j3.prj) run it",
        ),
    ),
    controllers=(  # names of version 1.8 of the board files
        (Controller("mig7", ("ddr3_sdram_socket_j1",), ("sys_diff_clock",)),),
        # For both there is a preset of its own: one controller, which shares the reference clock.
        (Controller("mig7", ("ddr3_sdram_socket_j1_j3",), ("sys_diff_clock", "sys_diff_clock_233")),),
    ),
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
    pcie=PcieBlock(xdma={"mode_selection": "Advanced", "pcie_blk_locn": "X0Y1"}),
    stream_bits=256,  # what the PCI Express block moves in a clock
)
