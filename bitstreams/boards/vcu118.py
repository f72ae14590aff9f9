"""AMD VCU118: Virtex UltraScale+ XCVU9P, CP2105 USB UART, PCI Express, two DDR4 interfaces.

Pins: VCU118 Evaluation Board User Guide (UG1224), master constraints; compared with
litex-hub/litex-boards ``xilinx_vcu118.py`` and alexforencich/verilog-ethernet.
"""

from amaranth.build import Attrs, Clock, DiffPairs, Pins, Resource
from amaranth.vendor import XilinxPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from bitstreams.boards.board import Board, Flash, PcieBlock
from bitstreams.boards.memory import Controller, Memory


class VCU118Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the VCU118. The clock is the fixed 300 MHz oscillator; the others can be reprogrammed."""

    device = "xcvu9p"
    package = "flga2104"
    speed = "2L-e"
    default_clk = "clk300"
    default_rst = "rst"
    resources = (
        Resource(
            "clk300", 0, DiffPairs("G31", "F31", dir="i"), Clock(300e6), Attrs(IOSTANDARD="DIFF_SSTL12")
        ),
        Resource("rst", 0, Pins("L19", dir="i"), Attrs(IOSTANDARD="LVCMOS12")),
        UARTResource(0, rx="AW25", tx="BB21", attrs=Attrs(IOSTANDARD="LVCMOS18")),
        *LEDResources(pins="AT32 AV34 AY30 BB32 BF32 AU37 AV36 BA37", attrs=Attrs(IOSTANDARD="LVCMOS12")),
    )
    connectors = ()


# Names of versions 2.0 to 2.4 of the board files. Later boards carry a faster memory; the oldest files
# know one name only.
_CONTROLLERS = tuple(
    Controller("ddr4", (f"ddr4_sdram_c{i}_062", f"ddr4_sdram_c{i}"), (f"default_250mhz_clk{i}",))
    for i in (1, 2)
)

BOARD = Board(
    name="vcu118",
    title="AMD VCU118 (Virtex UltraScale+)",
    part="xcvu9p-flga2104-2L-e",
    family="xcup",
    dsp=6840,
    bram36=2160,
    uram=960,
    lut=1_182_240,
    ff=2_364_480,
    source="UltraScale Architecture Overview, DS890, XCVU9P",
    memories=tuple(
        Memory(
            name=f"DDR4 C{i}",
            kind="ddr4",
            part="MT40A256M16LY-062E",
            bytes=2 << 30,  # 16 more bits are for ECC
            bits=64,
            rate=2_400_000_000,
            source="UG1224; as AMD's board files (vcu118 2.4, preset.xml) run it",
        )
        for i in (1, 2)
    ),
    controllers=(_CONTROLLERS[:1], _CONTROLLERS),
    pins="UG1224",
    baud=921_600,
    max_baud=921_600,  # the slower port of the CP2105
    clock=250_000_000,
    open_clock=None,
    loader=("--board", "vcu118"),
    flash=Flash("mt25qu01g-spi-x1_x2_x4_x8", "SPIx8", 256),  # a pair of 128 MB
    board_part="xilinx.com:vcu118:*",
    cfgbvs="GND",
    config_voltage=1.8,
    platform=VCU118Platform,
    pcie=PcieBlock(
        xdma={
            "mode_selection": "Advanced",
            "pcie_blk_locn": "X1Y2",
            "en_gt_selection": "true",
            "select_quad": "GTY_Quad_227",
        },
    ),
    stream_bits=256,  # what the PCI Express block moves in a clock
)
