"""AMD VC707: Virtex-7 XC7VX485T, CP2103 USB UART, PCI Express of the second generation, a DDR3 module.

Pins: VC707 Evaluation Board User Guide (UG885), master constraints; compared with
litex-hub/litex-boards ``xilinx_vc707.py``, VLSI-EDA/PoC ``ucf/VC707`` and openXC7/demo-projects.

The board files (vc707 1.4 in Xilinx/XilinxBoardStore) have no interface for PCI Express. Its pins are those
of litex-boards; gnodipac886/ViT-FPGA-TPU (``const.xdc``, of a design with XDMA, 8 lanes of 5.0 GT/s and 128
bits) and VILLASframework/fpga-hardware (``vc707_pins.xdc``, lanes 0 to 3) agree. The latter has lane 0 at
GTXE2_CHANNEL_X1Y11, and fpgadeveloper/fpga-drive-aximm-pcie (``vc707.xdc``) with it the block PCIE_X1Y0.

openXC7: its database of this device misses a bit of the input buffer at AU33, the UART's input
(``virtex7/FIXES.md`` in openXC7/prjxray-db, "known remaining gap", 2026-06). Until that is closed a
bitstream of the open tools may not hear the host.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash, PcieBlock, PciePins
from bitstreams.boards.memory import Controller, Memory


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
    # Names of version 1.4 of the board files.
    controllers=((Controller("mig7", ("ddr3_sdram",), ("sys_diff_clock",)),),),
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
    pcie=PcieBlock(
        gts="5.0",  # the blocks of this device know no more
        xdma={"mode_selection": "Advanced", "pcie_blk_locn": "X1Y0"},
        pins=PciePins(
            refclk=("AB8", "AB7"),
            perst="AV35",
            standard="LVCMOS18",
            rxp=("Y4", "AA6", "AB4", "AC6", "AD4", "AE6", "AF4", "AG6"),
            rxn=("Y3", "AA5", "AB3", "AC5", "AD3", "AE5", "AF3", "AG5"),
            txp=("W2", "AA2", "AC2", "AE2", "AG2", "AH4", "AJ2", "AK4"),
            txn=("W1", "AA1", "AC1", "AE1", "AG1", "AH3", "AJ1", "AK3"),
        ),
    ),
    stream_bits=128,  # what the PCI Express block moves in a clock
)
