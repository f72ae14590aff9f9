"""AMD Alveo U200: XCU200, FT4232H USB UART, PCI Express, four DDR4 modules.

A card for servers, here without the platform of Vitis: the block design is our own.
"""

from amaranth.vendor import XilinxPlatform

from bitstreams.boards import alveo
from bitstreams.boards.board import Board


class U200Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the Alveo U200."""

    device = "xcu200"
    package = "fsgd2104"
    speed = "2-e"
    default_clk = "clk300"
    default_rst = "rst"
    resources = alveo.RESOURCES
    connectors = ()


BOARD = Board(
    name="u200",
    title="AMD Alveo U200 (UltraScale+)",
    part="xcu200-fsgd2104-2-e",
    family="xcup",
    dsp=6840,
    bram36=2160,
    uram=960,
    lut=1_182_240,
    ff=2_364_480,
    source="the XCVU9P's, UltraScale Architecture Overview, DS890; published HLS reports of this part agree",
    memories=alveo.MEMORIES,
    controllers=alveo.CONTROLLERS,
    button=alveo.BUTTON,
    pins="litex-hub/litex-boards; fpganinja/taxi",
    baud=921_600,
    max_baud=3_000_000,  # of the FT4232H; fpganinja/taxi runs it at that rate
    clock=250_000_000,
    open_clock=None,
    loader=("--cable", "ft4232"),  # openFPGALoader has no entry of this name
    flash=alveo.FLASH,
    board_part="xilinx.com:au200:*",
    cfgbvs="GND",
    config_voltage=1.8,
    platform=U200Platform,
    pcie=alveo.PCIE,
    stream_bits=alveo.STREAM_BITS,
    bitstream=alveo.BITSTREAM,
)
