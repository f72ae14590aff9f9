"""Pooling with windows that overlap, or reach beyond the map: 3×3 with stride 1 or 2, beside 2×2, strides and
none.

Tiles overlap as far as windows do, so every window lies in one tile, and nothing is kept from a tile for
another.
"""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.formats import PIXEL_BITS, activation_format
from hw.contract.latencies import OVERLAPPING_CLOCKS
from hw.contract.spectrum import TILE
from hw.gateware.primitives.arith import register
from hw.gateware.primitives.delay import delay

EDGES = data.StructLayout({"top": 1, "bottom": 1, "left": 1, "right": 1})
"""Sides on which a tile reaches beyond the map."""

ROW_BITS = PIXEL_BITS + 1
"""A pixel of either kind, signed."""


class WindowPool(wiring.Component):
    """What leaves of the rows of a tile.

    ::

        clock 0   hide      pixels that are not in the map
        clock 1   pairs     maximum of pixels i and i + 1
        clock 2   windows   with pixel i + 2; every second one with ``pool``
        clock 3   pairs     maximum of this row and the one before
        clock 4   windows   with the row before these
        then rows that were not pooled 3×3 wait, so that the first one that leaves of every tile does so in
        time

    =========== ==== ======== =====================================================================
    port        flow width    meaning
    =========== ==== ======== =====================================================================
    active      in   1        a row comes,
    row         in   3        this one of its tile,
    pixels      in   cols × 9 signed: its pixels
    edges       in   4        of its tile: where it reaches beyond the map; constant for the layer:
    relu        in   1        pixels are 0 to 255, else -128 to 127
    pool        in   1        windows begin at every second row and column
    first       in   1        with ``pool`` and not ``wide``: their first pixel in place of the largest
    wide        in   1        windows have 3×3 pixels; else 2×2 with ``pool``, or one
    skipped     in   2        rows and columns at the top and left edge that are not in the map
    rows_left   in   4        rows of a tile at the bottom edge that are in the map
    columns_left in  4        columns of a tile at the right edge
    valid       out  1        a row leaves in the next clock:
    o_row       out  3        its number in the tile,
    o_pixels    out  cols × 9 signed, a clock later: its pixels
    =========== ==== ======== =====================================================================

    Row 0 leaves ``latency`` clocks after row 0 came where nothing is pooled; where windows have 3×3 pixels it
    is the maximum of rows 0 to 2 that does, and the next one with ``pool`` two clocks later. Parameters:
    ``columns``, of a row; ``strides``: whether ``first`` is looked at. No back pressure.
    """

    latency = OVERLAPPING_CLOCKS + 2

    def __init__(self, columns: int = TILE, strides: bool = False):
        self.columns, self.strides = columns, strides
        pixels = data.ArrayLayout(signed(ROW_BITS), columns)
        super().__init__(
            {
                "active": In(1),
                "row": In(3),
                "pixels": In(pixels),
                "edges": In(EDGES),
                "relu": In(1),
                "pool": In(1),
                "first": In(1),
                "wide": In(1),
                "skipped": In(2),
                "rows_left": In(4),
                "columns_left": In(4),
                "valid": Out(1),
                "o_row": Out(3),
                "o_pixels": Out(pixels),
            }
        )

    def elaborate(self, platform):
        m = Module()
        rows = self._windows(m, self._hidden(m))
        self._join_rows(m, rows)
        self._count(m)
        return m

    def _hidden(self, m):
        """Clock 0: the least value for pixels that are not in the map."""
        low = Mux(self.relu, *(activation_format(signed).limits[0] for signed in (False, True)))
        row_out = (self.edges.top & (self.row < self.skipped)) | (
            self.edges.bottom & (self.row >= self.rows_left)
        )
        found = []
        for i in range(self.columns):
            out = (
                row_out
                | (self.edges.left & (i < self.skipped))
                | (self.edges.right & (i >= self.columns_left))
            )
            found.append(register(m, f"seen_{i}", Mux(out, low, self.pixels[i]), ROW_BITS))
        return found

    def _windows(self, m, x):
        """Clocks 1 and 2: along the row."""
        count = self.columns
        pairs = [
            register(m, f"pair_{i}", _larger(x[i], x[min(i + 1, count - 1)]), ROW_BITS) for i in range(count)
        ]
        x = [delay(m, value, 1, name=f"seen_later_{i}") for i, value in enumerate(x)]
        rows = []
        for i in range(count):
            pair, third, alone = pairs[i], x[min(i + 2, count - 1)], x[i]
            if 2 * i < count:
                pair = Mux(self.pool, pairs[2 * i], pair)
                third = Mux(self.pool, x[min(2 * i + 2, count - 1)], third)
                of_two = Mux(self.first, x[2 * i], pairs[2 * i]) if self.strides else pairs[2 * i]
                alone = Mux(self.pool, of_two, alone)
            rows.append(register(m, f"window_{i}", Mux(self.wide, _larger(pair, third), alone), ROW_BITS))
        return rows

    def _join_rows(self, m, rows):
        """Clocks 3 and 4: down the columns; then the wait of rows that are not of 3×3 windows."""
        for i, row in enumerate(rows):
            above = delay(m, row, 1, name=f"above_{i}")
            pair = register(m, f"rows_{i}", _larger(row, above), ROW_BITS)
            here, two_up = above, delay(m, pair, 1, name=f"rows_above_{i}")  # in the clock of the pair
            wide = register(m, f"wide_{i}", _larger(two_up, here), ROW_BITS)
            of_two = pair
            if self.strides:
                of_two = Mux(self.first, delay(m, above, 1, name=f"first_row_{i}"), pair)
            other = register(m, f"other_{i}", Mux(self.pool, of_two, here), ROW_BITS)
            other = delay(m, other, 2, name=f"waiting_{i}")
            m.d.comb += self.o_pixels[i].eq(register(m, f"out_{i}", Mux(self.wide, wide, other), ROW_BITS))

    def _count(self, m):
        """Which rows leave, and their numbers: as many clocks after the row that ends their window."""
        wide = self.active & (self.row >= 2) & ~(self.pool & self.row[0])
        other = self.active & (~self.pool | self.row[0])
        below = Signal(3)
        m.d.comb += below.eq(self.row - 2)
        clocks = self.latency - 4  # of rows of 3×3 windows, before the register below
        left = delay(m, wide, clocks, name="wide_valid", reset=True)
        left_other = delay(m, other, clocks + 2, name="other_valid", reset=True)
        number = delay(m, Mux(self.pool, below >> 1, below), clocks, name="wide_row")
        number_other = delay(m, Mux(self.pool, self.row >> 1, self.row), clocks + 2, name="other_row")
        row = Signal(3, reset_less=True)
        m.d.sync += [
            self.valid.eq(Mux(self.wide, left, left_other)),
            row.eq(Mux(self.wide, number, number_other)),
        ]
        m.d.comb += self.o_row.eq(row)


def _larger(a, b):
    return Mux(a > b, a, b)
