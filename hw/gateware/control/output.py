"""Output controller and writer: from drained passes back to feature memory.

The controller sends one *token* per output channel of a finished pass to every lane, lane row r
r·S clocks after lane row 0. The lanes' output rows therefore arrive one lane row after another, in the
order of map rows, and the writer needs no buffer: it writes one line per row. Where the maps of several
images lie side by side, the writer learns anew where to write with the first lane row of each.
"""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import Program
from hw.contract.formats import PIXEL_BITS
from hw.contract.spectrum import TILE
from hw.gateware.control.fetch import lane_skews
from hw.gateware.primitives.delay import delay, per_layer
from hw.gateware.primitives.loop_nest import LoopNest
from hw.gateware.primitives.row_pointer import RowPointer, phase_bits, slot_bits


def place_layout(program: Program) -> data.StructLayout:
    """Where a token's first row goes: line address, section and phase in its period, column; and how many
    rows of the map there are from it on."""
    plans = program.layers
    columns = max(p.dest.shape[2] for p in plans) + TILE * program.config.lanes
    rows = max(p.dest.shape[1] for p in plans) + TILE * program.config.lanes
    return data.StructLayout(
        {
            "line": ceil_log2(max(2, program.memory_lines)),
            "section": slot_bits([p.dest for p in plans]),
            "phase": phase_bits([p.dest for p in plans]),
            "x": ceil_log2(columns) + 1,
            "rows": signed(ceil_log2(rows) + 2),
        }
    )


class OutputController(wiring.Component):
    """Members: ``start`` (a pulse) begins layer ``layer`` for ``images`` images, ``busy`` while tokens are
    sent, ``done`` pulses with the last clock of the last one. ``pass_full``: the next Y half holds a
    pass; ``pass_begun`` pulses when its first token is sent, ``pass_freed`` when the MAC controller may
    begin to fill the half again: ``reuse_lead`` clocks before the last lane begins to read the last row.
    ``starts`` (bit p: lane p's token), with ``row`` (channel in the block) and ``half``. One clock behind the
    start of an image's first lane row ``token`` pulses, with ``place``.
    """

    def __init__(self, program: Program, reuse_lead: int):
        self.program, self.reuse_lead = program, reuse_lead
        config = program.config
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(config.batch + 1)),
                "busy": Out(1),
                "done": Out(1),
                "pass_full": In(1),
                "pass_begun": Out(1),
                "pass_freed": Out(1),
                "starts": Out(config.lanes),
                "row": Out(range(config.rows)),
                "half": Out(1),
                "token": Out(1),
                "place": Out(place_layout(program)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, config = self.program, self.program.config
        plans = program.layers
        m.submodules.walk = walk = LoopNest(program)
        m.d.comb += [walk.layer.eq(self.layer), walk.images.eq(self.images), walk.start.eq(self.start)]

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        dot = setting("dot", [int(p.dot) for p in plans])
        last_clock = setting("last_clock", [p.token_interval - 1 for p in plans])
        last_row = setting("last_row", [p.block_rows(p.blocks - 1, config.rows) - 1 for p in plans])
        free_clock = setting("free_clock", [p.free_clock(self.reuse_lead) for p in plans])
        weights_stay = setting("weights_stay", [int(p.weights_stay) for p in plans])
        # Rows of the map from this entry's first one on.
        height = setting("height", [p.dest.shape[1] - p.top_group * p.out_group_height for p in plans])
        channel_lines = setting("channel_lines", [p.dest.channel_lines for p in plans])
        block_lines = setting("block_lines", [config.rows * p.dest.channel_lines for p in plans])
        base = setting("base", [p.dest.base for p in plans])
        group_height = setting("group_height", [p.out_group_height for p in plans])
        group_width = setting("group_width", [p.lane_columns * p.out_stride for p in plans])
        group_line, section, phase = self._group_places(m, walk.group_row)

        clock = Signal.like(last_clock)
        output = Signal(range(max(2, *(p.outputs + config.rows for p in plans))))
        row = Signal.like(self.row)
        half, running = Signal(), Signal()
        place = Signal(place_layout(program))
        # The first line of the first channel of the block, and of this channel, in the first image.
        block_line, line = (Signal.like(place.line, name=n) for n in ("block_line", "line"))
        x, rows = Signal.like(place.x), Signal.like(place.rows)

        # Flags: the token's last clock, the pass's last token. Rows to come are counted down.
        end_token, last_token = Signal(), Signal()
        rows_left = Signal.like(row)
        pass_rows = Mux(walk.last_block, last_row, config.rows - 1)
        end_pass = end_token & last_token
        image = self._image(m, walk, running, end_token, end_pass)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [
                        Cat(clock, end_token, output, row, half, x).eq(0),
                        *(address.eq(base) for address in (line, block_line)),
                        rows.eq(Mux(dot, self.images, height)),
                    ]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.sync += [rows_left.eq(pass_rows), last_token.eq(pass_rows == 0)]
                with m.If(self.pass_full):
                    m.d.comb += self.pass_begun.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    running.eq(1),
                    walk.step.eq(end_pass),
                    self.pass_freed.eq(last_token & (clock == free_clock)),
                    self.done.eq(end_pass & walk.ends),
                ]
                m.d.sync += [clock.eq(clock + 1), end_token.eq(clock + 1 == last_clock)]
                with m.If(end_token):
                    m.d.sync += [
                        Cat(clock, end_token).eq(0),
                        rows_left.eq(rows_left - 1),
                        last_token.eq(rows_left == 1),
                        row.eq(row + 1),
                        output.eq(output + 1),
                        line.eq(line + channel_lines),
                    ]
                with m.If(end_pass):
                    m.d.sync += [row.eq(0), half.eq(~half)]
                    with m.If(walk.block_wraps):
                        # Another tile group: its rows of the same channels, or of the next block's.
                        m.d.sync += [output.eq(0), x.eq(x + group_width), line.eq(block_line)]
                        with m.If(walk.column_wraps):
                            m.d.sync += [x.eq(0), rows.eq(rows - group_height)]
                        with m.If(walk.row_wraps):
                            m.d.sync += rows.eq(height)
                        with m.If(walk.stack_wraps & weights_stay):
                            block = block_line + block_lines
                            m.d.sync += [line.eq(block), block_line.eq(block)]
                    m.next = "WAIT"
                    with m.If(walk.ends):
                        m.next = "IDLE"
        m.d.comb += self.busy.eq(running)

        # A vector's element i is pixel i % 8 of line i // 8; a map's row starts at column x.
        with m.If(dot):
            m.d.comb += [place.line.eq(base + output[3:]), place.x.eq(output[:3])]
        with m.Else():
            m.d.comb += [place.line.eq(line + group_line), place.x.eq(x)]
        m.d.comb += [
            place.rows.eq(Mux(image.missing, 0, rows)),
            place.section.eq(section),
            place.phase.eq(phase),
        ]

        starts = Signal(config.lanes)
        for lane in range(config.lanes):
            skew = setting(f"skew_{lane}", lane_skews(program, lane))
            m.d.comb += starts[lane].eq(running & (clock == skew))
        first_image = Signal.like(place)
        m.d.sync += [
            self.starts.eq(starts),
            self.row.eq(row),
            self.half.eq(half),
            first_image.eq(place),
            self.place.eq(first_image),
            self.place.line.eq(first_image.line + image.line),
            self.place.section.eq(first_image.section + image.section),
        ]
        m.d.comb += self.token.eq(delay(m, image.begins, 2, name="begins", reset=True))
        return m

    def _image(self, m, walk, running, end_token, end_pass):
        """Whose first lane row starts in this clock, ``begins``; ``missing``: the run has not so many images.
        One clock later, where its map lies: ``line`` and ``section``, from those of the first image.
        """
        plans, batch = self.program.layers, self.program.config.batch
        places = [plan.dest.image_place(image) for plan in plans for image in range(batch)]
        lines, sections = zip(*places, strict=True)

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        first_entry = setting("first_image", [i * batch for i in range(len(plans))])
        size = setting("stack_images", [plan.images for plan in plans])
        # Lane rows of an image take so many clocks.
        last = setting("last_image_clock", [plan.skew * plan.source.image_sections - 1 for plan in plans])
        numbers = range(len(places) + max(plan.images for plan in plans))
        entry, stack_entry = (Signal(numbers, name=name) for name in ("entry", "stack_entry"))
        left, stack_left = (Signal.like(self.images, name=n) for n in ("left", "stack_left"))
        clock, begins = Signal.like(last), Signal(init=1)
        several = Signal()
        m.d.comb += several.eq(size != 1)

        with m.If(running):
            m.d.sync += [clock.eq(clock + 1), begins.eq(0)]
            with m.If(several & (clock == last)):
                m.d.sync += [clock.eq(0), begins.eq(1), entry.eq(entry + 1)]
                m.d.sync += left.eq(Mux(left == 0, 0, left - 1))
        with m.If(end_token):
            m.d.sync += [clock.eq(0), begins.eq(1), entry.eq(stack_entry), left.eq(stack_left)]
        with m.If(end_pass & walk.row_wraps):
            following, rest = Signal.like(entry), Signal.like(left)
            m.d.comb += [
                following.eq(Mux(walk.stack_wraps, first_entry, stack_entry + size)),
                rest.eq(Mux(walk.stack_wraps, self.images, stack_left - size)),
            ]
            m.d.sync += [
                *(number.eq(following) for number in (entry, stack_entry)),
                *(count.eq(rest) for count in (left, stack_left)),
            ]
        with m.If(self.start):
            m.d.sync += [
                clock.eq(0),
                begins.eq(1),
                *(number.eq(first_entry) for number in (entry, stack_entry)),
                *(count.eq(self.images) for count in (left, stack_left)),
            ]
        ports = {"begins": 1, "missing": 1, "line": len(self.place.line), "section": len(self.place.section)}
        image = Signal(data.StructLayout(ports))
        m.d.comb += [
            image.begins.eq(running & begins),
            image.missing.eq(left == 0),
            image.line.eq(per_layer(m, entry, lines, name="image_line")),
            image.section.eq(per_layer(m, entry, sections, name="image_section")),
        ]
        return image

    def _group_places(self, m, group_row):
        """Line (from the channel's first), section and phase of a group row's first output row: a table."""
        table, first = [], []
        for plan in self.program.layers:
            first.append(len(table))
            for group in range(1 if plan.dot else plan.group_rows):
                y = (plan.top_group + group) * plan.out_group_height
                table.append((*plan.dest.place(y), (y + plan.dest.padding) % plan.dest.period))
        entry = Signal(range(max(2, len(table))))
        m.d.comb += entry.eq(per_layer(m, self.layer, first, name="first_place") + group_row)
        columns = []
        for name, values in zip(("group_line", "section", "phase"), zip(*table, strict=True), strict=True):
            columns.append(per_layer(m, entry, values, name=name))
        return columns


class Writer(wiring.Component):
    """Gathers the rows of a lane row's tiles into one line.

    Members: ``token`` with ``place``, at least one clock before the first row of the token arrives;
    per lane ``valid``, ``rows`` (row index in the tile) and ``pixels``; ``raw`` (class scores);
    ``scores``: this layer's results are class scores. Drives the feature memory's write port and
    ``score_valid``, ``score``.
    """

    def __init__(self, program: Program, raw_bits: int):
        self.program = program
        lanes, line = program.config.lanes, program.config.line_pixels
        super().__init__(
            {
                "layer": In(range(len(program.layers))),
                "scores": In(1),
                "token": In(1),
                "place": In(place_layout(program)),
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
        """Clocks from a lane's ``valid`` to ``w_en``."""
        return 1

    def elaborate(self, platform):
        m = Module()
        program = self.program
        plans, line_pixels = program.layers, program.config.line_pixels

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        # The one lane row that delivers now, its tiles side by side.
        shapes = [(p.lane_rows, p.lane_columns, p.out_stride, p.rows_written) for p in plans]
        kinds = sorted(set(shapes))
        kind = setting("kind", [kinds.index(s) for s in shapes])
        pixels = Signal(PIXEL_BITS * line_pixels)
        raw = Signal(self.raw.shape().elem_shape)
        arrived = Signal()
        with m.Switch(kind):
            for k, (rows, columns, size, written) in enumerate(kinds):
                with m.Case(k):
                    for r in range(rows):
                        lead = r * columns
                        with m.If(self.valid[lead] & (self.rows[lead] < written)):
                            tiles = [self.pixels[lead + q][i] for q in range(columns) for i in range(size)]
                            m.d.comb += [
                                pixels.eq(Cat(*tiles)),
                                raw.eq(self.raw[lead]),
                                arrived.eq(1),
                            ]

        # Same clock: address it. Rows follow each other line by line (image by image in dot mode), in
        # sections period by period.
        row_lines = [p.dest.lines if p.dot else p.dest.lines_per_row for p in plans]
        width = setting("width", [1 if p.dot else p.dest.shape[2] for p in plans])
        columns = setting("columns", [p.lane_columns * p.out_stride for p in plans])
        dot = setting("dot", [int(p.dot) for p in plans])
        place = Signal(place_layout(program))
        pointer = RowPointer(m, self.layer, [p.dest for p in plans], place.line, row_lines=row_lines)
        with m.If(self.token):
            m.d.sync += [
                place.eq(self.place),
                pointer.slot.eq(self.place.section),
                pointer.phase.eq(self.place.phase),
            ]
        with m.Elif(arrived):
            m.d.sync += place.rows.eq(place.rows - 1)
            pointer.step(m)
        # Columns advance within a line; a map row may span several.
        offset_bits = ceil_log2(line_pixels)
        wanted = arrived & (place.rows > 0)
        limit = Signal(signed(len(place.x) + 1))
        m.d.comb += limit.eq(Mux(dot, 1, width - place.x))
        m.d.comb += self.w_offset.eq(place.x + pointer.first_pixel)  # memory wants it a clock earlier
        m.d.sync += [
            self.w_en.eq(wanted & ~self.scores),
            self.w_line.eq(place.line + (place.x >> offset_bits)),
            self.w_pixels.as_value().eq(pixels),
            self.score_valid.eq(wanted & self.scores),
            self.score.eq(raw),
        ]
        for i in range(line_pixels):
            m.d.sync += self.w_mask[i].eq((i < limit) & (i < columns))
        return m
