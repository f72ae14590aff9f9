"""Writer: rows of output pixels, gathered into lines of feature memory or sent as class scores."""

from functools import reduce
from operator import or_

from amaranth import C, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import Program
from hw.contract.formats import PIXEL_BITS
from hw.contract.spectrum import TILE
from hw.gateware.control.target import target_layout
from hw.gateware.primitives.delay import MAX_FANOUT, delay, per_layer, replicate
from hw.gateware.primitives.row_pointer import RowPointer


class Writer(wiring.Component):
    """Gathers the rows of a lane row's tiles into one line.

    =========== ==== ============ =====================================================================
    port        flow width        meaning
    =========== ==== ============ =====================================================================
    layer       in   ⌈log2 L⌉     instruction of the layer program
    scores      in   1            the layer's results are class scores
    token       in   1            a pulse, at least one clock before the pixels of the token's first row come,
    target      in   target       and where its first row goes (:func:`target_layout`)
    valid       in   lanes        bit p: a row leaves lane p in the next clock,
    rows        in   lanes × 3    its index in the tile,
    pixels      in   lanes × 64   a clock later: its 8 pixels,
    raw         in   lanes × raw  signed: its first pixel before rounding, a class score
    w_en        out  1            to feature memory: write the pixels
    w_pixels    out  line × 8     of a line of them
    w_mask      out  line         that the mask selects
    w_line      out  memory lines from this line
    w_offset    out  pixel        and, a clock earlier, from this pixel on
    score_valid out  1            a class score,
    score       out  raw          signed
    =========== ==== ============ =====================================================================
    """

    def __init__(self, program: Program, raw_bits: int):
        self.program = program
        lanes, line = program.config.lanes, program.config.line_pixels
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "scores": In(1),
                "token": In(1),
                "target": In(target_layout(program)),
                "valid": In(lanes),
                "rows": In(data.ArrayLayout(3, lanes)),
                "pixels": In(data.ArrayLayout(data.ArrayLayout(PIXEL_BITS, TILE), lanes)),
                "raw": In(data.ArrayLayout(signed(raw_bits), lanes)),
                "w_en": Out(1),
                "w_line": Out(range(program.memory_lines)),
                "w_offset": Out(range(line)),
                "w_pixels": Out(data.ArrayLayout(PIXEL_BITS, line)),
                "w_mask": Out(line),
                "score_valid": Out(1),
                "score": Out(signed(raw_bits)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from a lane's pixels to ``w_en``."""
        return 1

    def elaborate(self, platform):
        m = Module()
        program = self.program
        plans, line_pixels = program.layers, program.config.line_pixels

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        pixels, raw, arrived = self._gather(m)

        # Same clock: address it. Rows follow each other line by line (image by image in dot mode), packed
        # ones as they are interleaved.
        row_lines = [p.dest.stack_lines if p.dot else p.dest.lines_per_row for p in plans]
        width = setting("width", [1 if p.dot else p.dest.shape[2] for p in plans])
        columns = setting("columns", [p.lane_columns * p.out_stride for p in plans])
        dot = setting("dot", [int(p.dot) for p in plans])
        target = Signal(target_layout(program), reset_less=True)
        pointer = RowPointer(m, self.layer, [p.dest for p in plans], target.line, row_lines=row_lines)
        with m.If(self.token):
            m.d.sync += [
                target.eq(self.target),
                pointer.slot.eq(self.target.slot),
                pointer.phase.eq(self.target.phase),
            ]
        with m.Elif(arrived):
            m.d.sync += target.rows.eq(target.rows - 1)
            pointer.step(m)
        # Columns advance within a line; a map row may span several.
        offset_bits = ceil_log2(line_pixels)
        wanted = arrived & (target.rows > 0)
        limit = Signal(signed(len(target.x) + 1))
        m.d.comb += limit.eq(Mux(dot, 1, width - target.x))
        m.d.comb += self.w_offset.eq(target.x + pointer.first_pixel)  # memory wants it a clock earlier
        line = (target.line + (target.x >> offset_bits))[: len(self.w_line)]
        mask = Cat((i < limit) & (i < columns) for i in range(line_pixels))
        m.d.sync += [self.w_en.eq(wanted & ~self.scores), self.score_valid.eq(wanted & self.scores)]
        m.d.comb += [
            self.w_line.eq(delay(m, line, 1, name="line")),
            self.w_pixels.as_value().eq(delay(m, pixels, 1, name="pixels")),
            self.w_mask.eq(delay(m, mask, 1, name="mask")),
            self.score.eq(delay(m, raw, 1, name="raw")),
        ]
        return m

    def _gather(self, m):
        """The lane row whose pixels arrive now, its tiles side by side; its first pixel before rounding, and
        whether there is one.

        Layers differ in its shape. What may arrive has a register each that says so, for every ``MAX_FANOUT``
        bits: no two are up together.
        """
        plans = self.program.layers
        shapes = [(p.lane_rows, p.lane_columns, p.out_stride, p.rows_written) for p in plans]
        options = sorted(set(shapes))
        shape = per_layer(m, self.layer, [options.index(s) for s in shapes], name="shape")
        comes, sources, leads = [], [], []
        for number, (rows, columns, size, written) in enumerate(options):
            for lead in range(0, rows * columns, columns):
                comes.append((shape == number) & self.valid[lead] & (self.rows[lead] < written))
                tiles = [self.pixels[lead + q][i] for q in range(columns) for i in range(size)]
                sources.append(Cat(*tiles))
                leads.append(lead)
        comes = Cat(*comes)
        pixels = []
        for first in range(0, PIXEL_BITS * self.program.config.line_pixels, MAX_FANOUT):
            here = replicate(m, comes, name=f"comes_{first}")
            pixels.append(
                _chosen(here, [source[first : first + MAX_FANOUT] for source in sources], MAX_FANOUT)
            )
        here = replicate(m, comes, name="comes")
        raw = _chosen(here, [self.raw[lead] for lead in leads], len(self.raw[0]))
        return Cat(*pixels), raw, here.any()


def _chosen(here, values, bits):
    """That of ``values`` whose bit is set in ``here``, which no two are; 0 where none is."""
    masked = [
        value[:bits] & bit.replicate(min(bits, len(value))) for bit, value in zip(here, values, strict=True)
    ]
    return reduce(or_, masked, C(0, bits))[:bits]
