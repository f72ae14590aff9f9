"""AMD KC705: Kintex-7 XC7K325T, CP2103 USB UART.

Pins: amaranth-boards, corrected from the KC705 Evaluation Board User Guide (UG810) as litex-hub/litex-boards
``xilinx_kc705.py`` and VLSI-EDA/PoC ``ucf/KC705`` have them. There the clock is the user clock, which
can be reprogrammed; the UART has LVCMOS33 in a bank of 2.5 V, and all LEDs have LVCMOS15.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth_boards.kc705 import KC705Platform as _Upstream
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash, PcieBlock
from bitstreams.boards.memory import Controller, Memory


class KC705Platform(_Upstream):  # type: ignore[misc]
    """Pins of the KC705."""

    default_clk = "clk200"
    default_rst = "rst"
    resources = (
        Resource("clk200", 0, DiffPairs("AD12", "AD11", dir="i"), Clock(200e6), Attrs(IOSTANDARD="LVDS")),
        Resource("rst", 0, Pins("AB7", dir="i"), Attrs(IOSTANDARD="LVCMOS15")),
        UARTResource(0, rx="M19", tx="K24", attrs=Attrs(IOSTANDARD="LVCMOS25")),
        *LEDResources(pins="AB8 AA8 AC9 AB9", attrs=Attrs(IOSTANDARD="LVCMOS15")),
        *LEDResources(pins={4: "AE26", 5: "G19", 6: "E18", 7: "F16"}, attrs=Attrs(IOSTANDARD="LVCMOS25")),
    )
    connectors = ()


BOARD = Board(
    name="kc705",
    title="AMD KC705 (Kintex-7)",
    part="xc7k325tffg900-2",
    family="xc7",
    dsp=840,
    bram36=445,
    uram=0,
    lut=203_800,
    ff=407_600,
    source="7 Series FPGAs Overview, DS180, XC7K325T",
    memories=(
        Memory(
            name="DDR3",
            kind="ddr3",
            part="MT8JTF12864HZ-1G6",
            bytes=1 << 30,
            bits=64,
            rate=1_600_000_000,
            source="UG810; as AMD's board files (kc705 1.6, mig.prj) run it",
        ),
    ),
    # Names of version 1.6 of the board files.
    controllers=((Controller("mig7", ("ddr3_sdram",), ("sys_diff_clock",)),),),
    pins="UG810; amaranth-boards",
    baud=921_600,
    max_baud=1_000_000,  # CP2103
    clock=200_000_000,
    open_clock=50_000_000,
    loader=("--board", "kc705"),
    flash=Flash("28f00ap30t-bpi-x16", "BPIx16", 128),
    board_part="xilinx.com:kc705:*",
    cfgbvs="VCCO",
    config_voltage=2.5,
    platform=KC705Platform,
    pcie=PcieBlock(
        gts="5.0",  # the blocks of Kintex-7 know no more
        xdma={"mode_selection": "Advanced"},
    ),
    stream_bits=128,  # what the PCI Express block moves in a clock
)
