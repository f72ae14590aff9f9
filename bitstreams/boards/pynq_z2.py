"""TUL PYNQ-Z2: Zynq-7000 XC7Z020, a processor with Linux and PYNQ beside the logic.

The USB UART is the processor's, so there is no shell with a serial port: the processor is the host. The
processor's memory is not among ``memories``: designs do not read their weights from it.
"""

from bitstreams.boards.board import Board

BOARD = Board(
    name="pynq_z2",
    title="TUL PYNQ-Z2 (Zynq-7000)",
    part="xc7z020clg400-1",
    family="xc7",
    dsp=220,
    bram36=140,
    uram=0,
    lut=53_200,
    ff=106_400,
    source="Zynq-7000 SoC Overview, DS190, Z-7020",
    memories=(),
    clock=100_000_000,
    open_clock=None,  # the open flow connects no processor
    board_part="tul.com.tw:pynq-z2:*",
    processor="processing_system7",
    stream_bits=64,  # a high-performance port of the processor moves them in a clock
)
