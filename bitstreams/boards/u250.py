"""AMD Alveo U250: XCU250, FT4232H USB UART, PCI Express, four DDR4 modules.

A card for servers, here without the platform of Vitis: the block design is our own.
"""

from amaranth.vendor import XilinxPlatform

from bitstreams.boards import alveo
from bitstreams.boards.board import Board


class U250Platform(XilinxPlatform):  # type: ignore[misc]
    """Pins of the Alveo U250."""

    device = "xcu250"
    package = "figd2104"
    speed = "2L-e"
    default_clk = "clk300"
    default_rst = "rst"
    resources = alveo.RESOURCES
    connectors = ()


BOARD = Board(
    name="u250",
    title="AMD Alveo U250 (UltraScale+)",
    part="xcu250-figd2104-2L-e",
    family="xcup",
    dsp=12288,
    bram36=2688,
    uram=1280,
    lut=1_728_000,
    ff=3_456_000,
    source="published HLS reports of this part; the card's data sheet, DS962, was not seen",
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
    board_part="xilinx.com:au250:*",
    cfgbvs="GND",
    config_voltage=1.8,
    platform=U250Platform,
    pcie=alveo.PCIE,
    stream_bits=alveo.STREAM_BITS,
    bitstream=alveo.BITSTREAM,
)
