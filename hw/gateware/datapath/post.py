"""Post-processing: from the inverse transform's rows to pixels of the output map."""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.formats import PIXEL_BITS, POST_SHIFT, activation_format
from hw.contract.spectrum import TILE
from hw.gateware.datapath.window_pool import WindowPool
from hw.gateware.primitives.arith import register, round_shift, saturate
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.layouts import pixels_layout

RAW_BITS = 26
"""Width of the inverse transform's outputs (docs/numbers.md)."""


OF_WINDOWS = ("edges", "wide", "skipped", "rows_left", "columns_left")
"""Ports of :class:`WindowPool` that a tile or a layer decides."""


class Post(wiring.Component):
    """Rounds, clips and pools the 8 rows of a tile.

    ::

        clock 0   round     half up, by 2^7; what is below zero was shifted by a leaky ReLU before
        clock 1   saturate  0..255 with ``relu``, else -128..127
        clock 2   pool      maximum of pixels 2i and 2i + 1, or the first of them
        clock 3   pool      maximum of rows 2j and 2j + 1, or the first of them

    ``start`` comes with row 0 of ``pixels``, rows 1 to 7 in the next 7 clocks; tiles may follow each
    other without a gap. Every row y leaves ``latency`` clocks after it came, however soon another tile
    follows, and ``valid`` and ``row`` = y say so a clock before; with ``pool`` only the odd rows do, as
    ``row`` = y // 2 with half as many pixels. All 8 rows leave: the writer keeps the first
    ``Conv.tile_outputs``. Pixels from
    ``columns`` on (half of it with ``pool``) are undefined. ``relu``, ``leak``, ``pool`` and ``first`` stay
    constant while a tile is in flight. ``raw`` is pixel (0, 0) of the tile as it came in, valid with the
    tile's first output row.

    Cost (Yosys 0.66, 8 columns): 400 LUT, 435 FF, no DSP slice; 20 LUT a column for a slope, 14 for each
    more.

    Parameters: ``columns``: most pixels needed of a row, 1 to 8; ``strides``: with ``pool``, ``first`` asks
    for the first of every 2×2 pixels (a convolution of stride 2) in place of the largest; ``overlaps``: of
    windows that overlap, which takes more clocks, with the ports :data:`OF_WINDOWS`; ``leaks``: shifts of
    leaky ReLUs, of which ``leak`` chooses the i-th as i + 1, with ``relu`` low, and none as 0. No back
    pressure.
    """

    def __init__(
        self,
        columns: int = TILE,
        strides: bool = False,
        overlaps: bool = False,
        leaks: Sequence[int] = (),
    ):
        self.columns, self.strides, self.leaks = columns, strides, tuple(leaks)
        self.windows = WindowPool(columns, strides) if overlaps else None
        extra = {name: self.windows.signature.members[name] for name in OF_WINDOWS} if self.windows else {}
        super().__init__(
            {
                "start": In(1),
                "pixels": In(pixels_layout(RAW_BITS, TILE)),
                "relu": In(1),
                **({"leak": In(range(len(self.leaks) + 1))} if self.leaks else {}),
                "pool": In(1),
                **({"first": In(1)} if strides else {}),
                **extra,
                "valid": Out(1),
                "row": Out(range(TILE)),
                "o_pixels": Out(data.ArrayLayout(PIXEL_BITS, TILE)),
                "raw": Out(signed(RAW_BITS)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from row 0 of a tile to the first row that leaves; of 2×2 pooling, one less."""
        return 2 + (self.windows.latency if self.windows else 2)

    def elaborate(self, platform):
        m = Module()
        clipped = self._clip(m)
        row, running = Signal(range(TILE), reset_less=True), Signal()
        raw = Signal.like(self.raw, reset_less=True)
        with m.If(self.start):
            m.d.sync += [row.eq(1), running.eq(1), raw.eq(self.pixels[0])]
        with m.Elif(running):
            m.d.sync += [row.eq(row + 1), running.eq(row != TILE - 1)]
        active, now = self.start | running, Mux(self.start, 0, row)
        m.d.comb += self.raw.eq(delay(m, raw, self.latency - 1, name="raw"))
        if self.windows:
            self._pool_windows(m, clipped, active, now)
        else:
            self._pool(m, clipped, active, now)
        return m

    def _clip(self, m):
        """Clocks 0 and 1."""
        kept = range(self.columns)
        # Clock 0: round.
        leaked = [self._leaked(self.pixels[i]) for i in kept]
        rounded = [register(m, f"rounded_{i}", round_shift(leaked[i], POST_SHIFT)) for i in kept]
        # Clock 1: saturate; nine bits hold both kinds of pixel, so that one comparison suits both.
        formats = activation_format(signed=False), activation_format(signed=True)
        clipped = []
        for i in kept:
            positive, either = (saturate(rounded[i], fmt) for fmt in formats)
            clipped.append(register(m, f"clipped_{i}", Mux(self.relu, positive, either), PIXEL_BITS + 1))
        return clipped

    def _leaked(self, x):
        """Below zero shifted as ``leak`` says. The rounding that follows is the only one: it is that of the
        whole shift (:func:`hw.contract.formats.leaked`)."""
        for number, shift in enumerate(self.leaks, 1):
            x = Mux((self.leak == number) & x[-1], x >> shift, x)
        return x

    def _pool(self, m, clipped, active, now):
        """Clock 2: pool pairs of pixels. Clock 3: pool pairs of rows. Pooled rows leave in the clock of an
        odd one."""
        for i, value in enumerate(clipped):
            if i < self.columns // 2:
                value = Mux(self.pool, self._reduced(*clipped[2 * i : 2 * i + 2]), value)
            value = register(m, f"pair_{i}", value)
            if i < self.columns // 2:
                above = register(m, f"above_{i}", value)
                value = Mux(self.pool, self._reduced(above, value), value)
            m.d.comb += self.o_pixels[i].eq(register(m, f"pixel_{i}", value))
        leaves = active & (~self.pool | now[0])
        m.d.comb += [
            self.valid.eq(delay(m, leaves, self.latency - 1, name="valid", reset=True)),
            self.row.eq(delay(m, Mux(self.pool, now >> 1, now), self.latency - 1, name="row")),
        ]

    def _pool_windows(self, m, clipped, active, now):
        """From clock 2 on, where windows of some layer overlap (:mod:`hw.gateware.datapath.window_pool`)."""
        m.submodules.windows = windows = self.windows
        m.d.comb += [
            windows.active.eq(delay(m, active, 2, name="active", reset=True)),
            windows.row.eq(delay(m, now, 2, name="now")),
            windows.edges.eq(delay(m, self.edges.as_value(), 2, name="edges")),
            *(windows.pixels[i].eq(value) for i, value in enumerate(clipped)),
            *(getattr(windows, name).eq(getattr(self, name)) for name in (*OF_WINDOWS[1:], "relu", "pool")),
            *(self.o_pixels[i].eq(windows.o_pixels[i]) for i in range(self.columns)),
            self.valid.eq(windows.valid),
            self.row.eq(windows.o_row),
        ]
        if self.strides:
            m.d.comb += windows.first.eq(self.first)

    def _reduced(self, first, second):
        """What pooling makes of two pixels."""
        larger = first > second
        return Mux(self.first | larger if self.strides else larger, first, second)
