"""AMD Kria KV260: Zynq UltraScale+ on a K26 module, a processor with Linux beside the logic.

The module alone stands here: a design uses no pin of the carrier. The processor's memory is not among
``memories``: designs do not read their weights from it.
"""

from bitstreams.boards.board import Board

BOARD = Board(
    name="kv260",
    title="AMD Kria KV260 (Zynq UltraScale+)",
    part="xck26-sfvc784-2LV-c",
    family="xcup",
    dsp=1248,
    bram36=144,
    uram=64,
    lut=117_120,
    ff=234_240,
    source="Kria K26 SOM Data Sheet, DS987",
    memories=(),
    clock=150_000_000,
    open_clock=None,  # Project X-Ray knows the 7 series alone
    board_part="xilinx.com:kv260_som:*",
    processor="zynq_ultra_ps_e",
    stream_bits=128,  # a high-performance port of the processor moves them in a clock
)
