"""Post-processing: from the inverse transform's rows to pixels of the output map."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.formats import PIXEL_BITS, POST_SHIFT, activation_format
from hw.contract.spectrum import TILE
from hw.gateware.primitives.arith import register, round_shift, saturate
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.layouts import pixels_layout

RAW_BITS = 26
"""Width of the inverse transform's outputs (docs/numbers.md)."""


class Post(wiring.Component):
    """Rounds, clips and pools the 8 rows of a tile.

    ::

        clock 0   round     half up, by 2^7
        clock 1   saturate  0..255 with ``relu``, else -128..127
        clock 2   pool      maximum of pixels 2i and 2i + 1, or the first of them
        clock 3   pool      maximum of rows 2j and 2j + 1, or the first of them

    ``start`` comes with row 0 of ``pixels``, rows 1 to 7 in the next 7 clocks; tiles may follow each
    other without a gap. Every row y leaves with ``valid`` and ``row`` = y, ``latency`` clocks after it
    came; with ``pool`` only the odd rows do, as ``row`` = y // 2 with half as many pixels. All 8 rows
    leave: the writer keeps the first ``Conv.tile_outputs``. Pixels from ``columns`` on (half of it with
    ``pool``) are undefined. ``relu``, ``pool`` and ``first`` stay constant while a tile is in flight.
    ``raw`` is pixel (0, 0) of the tile as it came in, valid with the tile's first output row.

    Cost (Yosys 0.66, 8 columns): 400 LUT, 435 FF, no DSP slice.

    Parameters: ``columns``: most pixels needed of a row, 1 to 8; ``strides``: with ``pool``, ``first`` asks
    for the first of every 2×2 pixels (a convolution of stride 2) in place of the largest. No back pressure.
    """

    latency = 4

    def __init__(self, columns: int = TILE, strides: bool = False):
        self.columns, self.strides = columns, strides
        super().__init__(
            {
                "start": In(1),
                "pixels": In(pixels_layout(RAW_BITS, TILE)),
                "relu": In(1),
                "pool": In(1),
                **({"first": In(1)} if strides else {}),
                "valid": Out(1),
                "row": Out(range(TILE)),
                "o_pixels": Out(data.ArrayLayout(PIXEL_BITS, TILE)),
                "raw": Out(signed(RAW_BITS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        kept = range(self.columns)
        # Clock 0: round.
        rounded = [register(m, f"rounded_{i}", round_shift(self.pixels[i], POST_SHIFT)) for i in kept]
        # Clock 1: saturate; nine bits hold both kinds of pixel, so that one comparison suits both.
        formats = activation_format(relu=True), activation_format(relu=False)
        clipped = []
        for i in kept:
            positive, either = (saturate(rounded[i], fmt) for fmt in formats)
            clipped.append(register(m, f"clipped_{i}", Mux(self.relu, positive, either), PIXEL_BITS + 1))
        # Clock 2: pool pairs of pixels. Clock 3: pool pairs of rows.
        for i in kept:
            value = clipped[i]
            if i < self.columns // 2:
                value = Mux(self.pool, self._reduced(*clipped[2 * i : 2 * i + 2]), value)
            value = register(m, f"pair_{i}", value)
            if i < self.columns // 2:
                above = register(m, f"above_{i}", value)
                value = Mux(self.pool, self._reduced(above, value), value)
            m.d.comb += self.o_pixels[i].eq(register(m, f"pixel_{i}", value))
        self._count_rows(m)
        return m

    def _count_rows(self, m):
        """The row index beside the pixels; pooled rows leave in the clock of an odd one."""
        row, running = Signal(range(TILE)), Signal()
        with m.If(self.start):
            m.d.sync += [row.eq(1), running.eq(1), self.raw.eq(self.pixels[0])]
        with m.Elif(running):
            m.d.sync += [row.eq(row + 1), running.eq(row != TILE - 1)]
        now = Mux(self.start, 0, row)
        leaves = (self.start | running) & (~self.pool | now[0])
        m.d.comb += [
            self.valid.eq(delay(m, leaves, self.latency, name="valid", reset=True)),
            self.row.eq(delay(m, Mux(self.pool, now >> 1, now), self.latency, name="row")),
        ]

    def _reduced(self, first, second):
        """What pooling makes of two pixels."""
        larger = first > second
        return Mux(self.first | larger if self.strides else larger, first, second)
