"""Fetch controller: walks the tile groups and asks feature memory for their lines.

A tile group of R × Q lanes needs, of every input channel,

* where the map lies in sections, 8 lines: a line holds a row for every lane row, of one image or of a stack;
* else (R-1)·S + 8 lines: lane row r starts its tile r·S lines after lane row 0.

In dot mode the lines of one image go to one lane, image by image.

Where layers are made in bands, only a ring of a map's rows is there: line and tile group step over its end.
"""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import LayerPlan, Program
from hw.gateware.primitives.delay import delay, per_layer, replicate
from hw.gateware.primitives.loop_nest import LoopNest


def lane_skews(program: Program, lane: int) -> list[int]:
    """Per layer: clocks lane ``lane`` starts a token after lane 0; -1 where the layer leaves it idle."""
    return [
        row * plan.skew if row >= 0 else -1
        for plan, row in zip(program.layers, _rows(program, lane), strict=True)
    ]


def _rows(program: Program, lane: int) -> list[int]:
    """Per layer: the lane row of lane ``lane``, -1 where the layer leaves it idle."""
    rows = [lane // plan.lane_columns for plan in program.layers]
    return [row if row < plan.lane_rows else -1 for row, plan in zip(rows, program.layers, strict=True)]


def _first_line(plan: LayerPlan, top: int) -> int:
    """Line of row ``top`` of a map (it may lie above the map), from the map's first."""
    if plan.packing > 1:
        return plan.top_group * plan.group_lines  # sections begin with the padding
    return (top % plan.source.ring if plan.source.ring else top) * plan.source.lines_per_row


class Fetch(wiring.Component):
    """Parameters: ``program``, ``latency`` of the feature memory.

    Members: ``start`` (a pulse) begins layer ``layer`` for ``images`` images; ``busy`` until the last
    line was asked for. ``half_free``: an X half can be filled; ``half_taken`` pulses when one is
    begun, ``half_filled`` when its last line *leaves the memory*.

    Aligned with the memory's output: ``starts`` (bit p: this line is row 0 of lane p's tile; in dot
    mode: it belongs to lane p), ``row`` (its index, dot mode), ``channel``, ``half``, ``mask`` (pixels
    inside the map's columns), ``inside`` (bit p: lane p's row is inside the map).
    A clock before: ``beyond`` (in sections: the line holds every lane row's window in the section of the next
    one).
    """

    def __init__(self, program: Program, latency: int):
        self.program, self.latency = program, latency
        config = program.config
        self.channel_bits = ceil_log2(max(2, *(p.source.shape[0] for p in program.layers)))
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(config.batch + 1)),
                "busy": Out(1),
                "half_free": In(1),
                "half_taken": Out(1),
                "half_filled": Out(1),
                "r_line": Out(range(program.memory_lines)),
                "r_far_line": Out(range(program.memory_lines)),
                "r_far": Out(config.line_pixels),
                "r_offset": Out(range(config.line_pixels)),
                "starts": Out(config.lanes),
                "inside": Out(config.lanes),
                "beyond": Out(1),
                "row": Out(3),
                "channel": Out(self.channel_bits),
                "half": Out(1),
                "mask": Out(config.line_pixels),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plans = self.program.layers
        m.submodules.walk = walk = LoopNest(self.program, blocks=False, dot_images=True)
        m.d.comb += [walk.layer.eq(self.layer), walk.images.eq(self.images), walk.start.eq(self.start)]

        padding = [p.layer.padding for p in plans]
        tops = [p.top_group * p.group_height - pad for p, pad in zip(plans, padding, strict=True)]
        rings = [p.source.ring for p in plans]
        dot = self._setting(m, "dot", [int(p.dot) for p in plans])
        last_line = self._setting(m, "last_line", [p.lines_per_channel - 1 for p in plans])
        last_channel = self._setting(m, "last_channel", [p.source.shape[0] - 1 for p in plans])
        channel_lines = self._setting(m, "channel_lines", [p.source.channel_lines for p in plans])
        map_lines = self._setting(m, "map_lines", [p.source.lines for p in plans])
        # Of the first window's first row: its line, in the first image, and its place in the ring.
        first_line = self._setting(
            m,
            "first_line",
            [p.source.base + _first_line(p, top) for p, top in zip(plans, tops, strict=True)],
        )
        first_turn = self._setting(
            m, "first_turn", [top % ring if ring else 0 for top, ring in zip(tops, rings, strict=True)]
        )
        ringed = self._setting(m, "ringed", [int(ring > 0) for ring in rings])
        last_turn = self._setting(m, "last_turn", [max(0, ring - 1) for ring in rings])
        ring_rows = self._setting(m, "ring_rows", rings)
        # Steps from row to row and from tile group to tile group, and those that go over the ring's end.
        ring_lines = [p.source.ring * p.source.lines_per_row for p in plans]
        row_lines = self._setting(m, "row_lines", [p.source.lines_per_row for p in plans])
        row_back = self._setting(
            m, "row_back", [p.source.lines_per_row - n for p, n in zip(plans, ring_lines, strict=True)]
        )
        group_lines = self._setting(m, "group_lines", [p.group_lines for p in plans])
        group_back = self._setting(
            m, "group_back", [p.group_lines - n for p, n in zip(plans, ring_lines, strict=True)]
        )
        first_x = self._setting(
            m, "first_x", [0 if p.packing > 1 else -n for p, n in zip(plans, padding, strict=True)]
        )
        first_y = self._setting(m, "first_y", tops)
        group_height = self._setting(m, "group_height", [p.group_height for p in plans])
        group_width = self._setting(m, "group_width", [p.lane_columns * p.stride for p in plans])
        # In sections: the line behind which a window goes on in the next section, one tile row down.
        turn = self._setting(m, "turn", [p.stride - 1 if p.packing > 1 else -1 for p in plans])

        # --- counters ----------------------------------------------------------------------------
        span = signed(ceil_log2(max(n for p in plans for n in p.source.shape[1:]) + 64) + 2)
        line = Signal.like(last_line)
        channel = Signal(self.channel_bits)
        x, y, top = Signal(span), Signal(span), Signal(span)
        address = Signal.like(self.r_line)  # of the line asked for
        channel_address = Signal.like(address)  # of the window's first row in this channel
        group_address = Signal.like(address)  # of the window's first row in channel 0
        image_address = Signal.like(address)  # of the image's first window's first row in channel 0
        # Places in the ring, of the line asked for and of the window's first row.
        place, top_place = Signal.like(last_turn, name="place"), Signal.like(last_turn, name="top_place")
        half, beyond, running = Signal(), Signal(), Signal()

        # Flags: the counters stand at their ends; the next row lies at the ring's start.
        end_channel, last = Signal(), Signal()
        next_place, turns_over = Signal.like(place), Signal()
        m.d.comb += next_place.eq(place)
        m.d.sync += [place.eq(next_place), turns_over.eq(ringed & (next_place == last_turn))]
        end_pass = end_channel & last
        filled = end_pass & (~dot | walk.ends)
        below = self._below(
            m, ringed, ring_rows, top_place + group_height, group_address, group_lines, group_back
        )
        # Where the next image begins, or the first one for the next block.
        next_image = Signal.like(address)
        m.d.sync += next_image.eq(Mux(walk.stack_wraps, first_line, image_address + map_lines))

        # The next tile group: beside this one, else below, else the next image's first, else that of the
        # first image again, for the next block. Chosen while this one is fetched.
        following_group = Signal(
            data.StructLayout({"address": len(address), "place": len(place), "x": span, "top": span})
        )
        m.d.sync += [
            following_group.x.eq(Mux(walk.column_wraps, first_x, x + group_width)),
            following_group.top.eq(top),
            following_group.place.eq(top_place),
            following_group.address.eq(group_address),
        ]
        with m.If(walk.column_wraps):
            m.d.sync += [
                following_group.top.eq(Mux(walk.row_wraps, first_y, top + group_height)),
                following_group.place.eq(Mux(walk.row_wraps, first_turn, below.place)),
                following_group.address.eq(Mux(walk.row_wraps, next_image, below.address)),
            ]

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.comb += next_place.eq(first_turn)
                    m.d.sync += [
                        Cat(line, channel, half, beyond, end_channel).eq(0),
                        last.eq(last_channel == 0),
                        x.eq(first_x),
                        y.eq(first_y),
                        top.eq(first_y),
                        top_place.eq(first_turn),
                        *(a.eq(first_line) for a in (address, channel_address, group_address, image_address)),
                    ]
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.half_free):
                    m.d.comb += self.half_taken.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += [
                    running.eq(1),
                    walk.step.eq(end_pass),
                    next_place.eq(Mux(turns_over, 0, place + 1)),
                ]
                m.d.sync += [
                    line.eq(line + 1),
                    end_channel.eq(line + 1 == last_line),
                    y.eq(y + 1),
                    address.eq(address + Mux(turns_over, row_back, row_lines)),
                ]
                with m.If(line == turn):
                    m.d.sync += [address.eq(channel_address), beyond.eq(1)]
                with m.If(end_channel):
                    following = Signal.like(address)
                    m.d.comb += [following.eq(channel_address + channel_lines), next_place.eq(top_place)]
                    m.d.sync += [
                        Cat(line, beyond, end_channel).eq(0),
                        y.eq(top),
                        channel.eq(channel + 1),
                        last.eq(channel + 1 == last_channel),
                        *(a.eq(following) for a in (address, channel_address)),
                    ]
                with m.If(end_pass):
                    m.d.comb += next_place.eq(following_group.place)
                    m.d.sync += [
                        channel.eq(0),
                        last.eq(last_channel == 0),
                        x.eq(following_group.x),
                        *(t.eq(following_group.top) for t in (y, top)),
                        top_place.eq(following_group.place),
                        # A pass of dot mode may be too short for the group's registers; it takes an image.
                        *(
                            a.eq(Mux(dot, next_image, following_group.address))
                            for a in (address, channel_address, group_address)
                        ),
                    ]
                    with m.If(walk.row_wraps):
                        m.d.sync += image_address.eq(next_image)
                with m.If(filled):
                    m.d.sync += half.eq(~half)
                    m.next = "WAIT"
                    with m.If(walk.ends):
                        m.next = "IDLE"
        offset_bits = len(self.r_offset)
        m.d.comb += [
            self.busy.eq(running),
            self.r_line.eq(address + (x >> offset_bits)),
            self.r_far_line.eq(self.r_line + Mux(turn >= 0, turn + 1, 1)),
            self.r_offset.eq(x[:offset_bits]),
        ]
        self._far_sections(m, beyond)

        # --- what travels with the line ---------------------------------------------------------
        starts, inside = self._lanes(m, dot, walk.stack, line, y)
        lanes = self.program.config.lanes
        travelling = [
            ("starts", self.starts, starts & running.replicate(lanes), True),
            ("filled", self.half_filled, running & filled, True),
            ("mask", self.mask, self._columns(m, x), False),
            ("row", self.row, line[:3], False),
            ("channel", self.channel, channel, False),
            ("half", self.half, half, False),
        ]
        for name, port, value, reset in travelling:
            m.d.comb += port.eq(delay(m, value, self.latency, name=name, reset=reset))
        m.d.comb += self.beyond.eq(delay(m, beyond, self.latency - 1, name="beyond"))
        # Rows of lanes are inside together, but every lane has a register that says so.
        inside = delay(m, inside, self.latency - 1, name="inside")
        m.d.comb += self.inside.eq(
            Cat(replicate(m, one, name=f"inside_of_{i}") for i, one in enumerate(inside))
        )
        return m

    def _below(self, m, ringed, ring_rows, place, address, step, back):
        """The tile group below the one at hand, ready in its third clock: line and place in the ring."""
        below = Signal(data.StructLayout({"address": len(address), "place": len(ring_rows)}))
        ahead, over = Signal(len(place)), Signal()
        m.d.sync += [
            ahead.eq(place),
            over.eq(ringed & (ahead >= ring_rows)),
            below.place.eq(ahead - Mux(over, ring_rows, 0)),
            below.address.eq(address + Mux(over, back, step)),
        ]
        return below

    def _setting(self, m, name, values):
        return per_layer(m, self.layer, values, name=name)

    def _far_sections(self, m, beyond):
        """Beyond the turn the last lane row's window goes on in section 0, a whole tile group down."""
        plans = self.program.layers
        widths = [p.source.slot_pixels if p.packing > 1 else 0 for p in plans]
        first_section = self._setting(m, "first_section", [(1 << width) - 1 for width in widths])
        m.d.comb += self.r_far.eq(first_section & beyond.replicate(len(self.r_far)))

    def _lanes(self, m, dot, image, line, y):
        """Per lane: whether this line is its tile's first row, and whether its row is inside the map."""
        plans, lanes = self.program.layers, self.program.config.lanes
        height = self._setting(m, "height", [p.source.shape[1] for p in plans])
        starts, inside = Signal(lanes), Signal(lanes)
        for lane in range(lanes):
            first, ahead = [], []
            for plan, row in zip(plans, _rows(self.program, lane), strict=True):
                beside = plan.packing > 1
                first.append(-1 if row < 0 else 0 if beside else row * plan.stride)
                ahead.append(row % plan.source.image_packing * plan.stride if beside and row > 0 else 0)
            first = self._setting(m, f"first_{lane}", first)
            row = y + self._setting(m, f"ahead_{lane}", ahead)
            m.d.comb += [
                starts[lane].eq(Mux(dot, image == lane, line == first)),
                inside[lane].eq((row >= 0) & (row < height)),
            ]
        return starts, inside

    def _columns(self, m, x):
        """Pixels of the line that lie inside the map's columns (of their section's row)."""
        plans, line = self.program.layers, self.program.config.line_pixels
        width = self._setting(m, "width", [p.source.shape[2] for p in plans])
        fixed = self._setting(m, "section_mask", [p.source.pixel_mask for p in plans])
        sectioned = self._setting(m, "sectioned", [int(p.packing > 1) for p in plans])
        inside = Cat((x >= -i) & (x + i < width) for i in range(line))
        return Mux(sectioned, fixed, inside)
