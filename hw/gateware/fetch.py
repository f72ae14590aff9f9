"""Fetch controller: walks the tile groups and asks feature memory for their lines.

Loops, outermost first: image, group row, group column, input channel, line. A tile group of R × Q
lanes needs (R-1)·S + 8 lines of a channel; lane row r starts its tile r·S lines after lane row 0.
In dot mode the lines of one image go to one lane, image by image.
"""

from amaranth import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.gateware.delay import delay, per_layer
from hw.network import Conv
from hw.program import Program


def lane_skews(program: Program, lane: int) -> list[int]:
    """Per layer: lines (or clocks) lane ``lane`` starts after lane 0; -1 where the layer leaves it idle."""
    skews = []
    for plan in program.layers:
        row = lane // plan.lane_columns
        skews.append(row * plan.stride if row < plan.lane_rows else -1)
    return skews


class Fetch(wiring.Component):
    """Parameters: ``program``, ``latency`` of the feature memory.

    Members: ``start`` (a pulse) begins layer ``layer`` for ``images`` images; ``busy`` until the last
    line was asked for. ``half_free``: an X half can be filled; ``half_taken`` pulses when one is
    begun, ``half_filled`` when its last line *leaves the memory*.

    Aligned with the memory's output: ``starts`` (bit p: this line is row 0
    of lane p's tile; in dot mode: it belongs to lane p), ``row`` (its index, dot mode),
    ``channel``, ``half``, ``mask`` (pixels inside the map).
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
                "r_offset": Out(range(config.line_pixels)),
                "starts": Out(config.lanes),
                "row": Out(3),
                "channel": Out(self.channel_bits),
                "half": Out(1),
                "mask": Out(config.line_pixels),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program, config = self.program, self.program.config
        plans = program.layers

        def setting(name, values):
            return per_layer(m, self.layer, values, name=name)

        padding = [p.layer.padding if isinstance(p.layer, Conv) else 0 for p in plans]
        dot = setting("dot", [int(p.dot) for p in plans])
        last_line = setting("last_line", [p.lines_per_channel - 1 for p in plans])
        last_channel = setting("last_channel", [p.source.shape[0] - 1 for p in plans])
        last_column = setting("last_column", [0 if p.dot else p.group_columns - 1 for p in plans])
        last_row = setting("last_row", [0 if p.dot else p.group_rows - 1 for p in plans])
        height = setting("height", [p.source.shape[1] for p in plans])
        width = setting("width", [p.source.shape[2] for p in plans])
        row_lines = setting("row_lines", [p.source.lines_per_row for p in plans])
        channel_lines = setting("channel_lines", [p.source.channel_lines for p in plans])
        map_lines = setting("map_lines", [p.source.lines for p in plans])
        base = setting("base", [p.source.base for p in plans])
        top_lines = setting(
            "top_lines", [-pad * p.source.lines_per_row for p, pad in zip(plans, padding, strict=True)]
        )
        first_y = setting("first_y", [-pad for pad in padding])
        group_height = setting("group_height", [p.lane_rows * p.stride for p in plans])
        group_width = setting("group_width", [p.lane_columns * p.stride for p in plans])
        group_lines = setting("group_lines", [p.lane_rows * p.stride * p.source.lines_per_row for p in plans])

        # --- counters ----------------------------------------------------------------------------
        sizes = [v for p in plans for v in (p.source.shape[1], p.source.shape[2])]
        span = signed(ceil_log2(max(sizes) + 64) + 2)
        line = Signal.like(last_line)
        channel = Signal(self.channel_bits)
        column = Signal.like(last_column)
        group_row = Signal.like(last_row)
        image = Signal(range(config.batch + 1))
        x, y, top = Signal(span), Signal(span), Signal(span)
        address = Signal.like(self.r_line)  # of map row y
        channel_address = Signal.like(address)  # of row `top` of the channel
        group_address = Signal.like(address)  # of row `top` of channel 0
        image_address = Signal.like(address)  # of row 0 of channel 0
        half = Signal()

        end_channel = line == last_line
        end_group = end_channel & (channel == last_channel)
        end_columns = end_group & (column == last_column)
        end_image = end_columns & (group_row == last_row)
        end_layer = end_image & (image == self.images - 1)
        whole_group = end_group & (~dot | end_layer)
        running = Signal()

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    m.d.sync += [
                        Cat(line, channel, column, group_row, image).eq(0),
                        x.eq(first_y),
                        y.eq(first_y),
                        top.eq(first_y),
                        image_address.eq(base),
                        address.eq(base + top_lines),
                        channel_address.eq(base + top_lines),
                        group_address.eq(base + top_lines),
                    ]
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.half_free):
                    m.d.comb += self.half_taken.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.comb += running.eq(1)
                m.d.sync += [line.eq(line + 1), y.eq(y + 1), address.eq(address + row_lines)]
                with m.If(end_channel):
                    following = Signal.like(address)
                    m.d.comb += following.eq(channel_address + channel_lines)
                    m.d.sync += [
                        line.eq(0),
                        y.eq(top),
                        channel.eq(channel + 1),
                        address.eq(following),
                        channel_address.eq(following),
                    ]
                with m.If(end_group):
                    m.d.sync += [
                        channel.eq(0),
                        column.eq(column + 1),
                        x.eq(x + group_width),
                        address.eq(group_address),
                        channel_address.eq(group_address),
                    ]
                with m.If(end_columns):
                    following = Signal.like(address)
                    m.d.comb += following.eq(group_address + group_lines)
                    m.d.sync += [
                        column.eq(0),
                        x.eq(first_y),
                        group_row.eq(group_row + 1),
                        top.eq(top + group_height),
                        y.eq(top + group_height),
                        address.eq(following),
                        channel_address.eq(following),
                        group_address.eq(following),
                    ]
                with m.If(end_image):
                    following, first = Signal.like(address), Signal.like(address)
                    m.d.comb += [following.eq(image_address + map_lines), first.eq(following + top_lines)]
                    m.d.sync += [
                        group_row.eq(0),
                        image.eq(image + 1),
                        top.eq(first_y),
                        y.eq(first_y),
                        image_address.eq(following),
                        address.eq(first),
                        channel_address.eq(first),
                        group_address.eq(first),
                    ]
                with m.If(whole_group):
                    m.d.sync += half.eq(~half)
                    m.next = "WAIT"
                    with m.If(end_layer):
                        m.next = "IDLE"
                with m.If(end_layer):
                    # Every layer begins with half 0, as does the MAC controller.
                    m.d.sync += half.eq(0)
            m.d.comb += self.busy.eq(running)

        # --- memory request ---------------------------------------------------------------------
        offset_bits = len(self.r_offset)
        m.d.comb += [
            self.r_line.eq(address + (x >> offset_bits)),
            self.r_offset.eq(x[:offset_bits]),
        ]

        # --- what travels with the line ---------------------------------------------------------
        starts = Signal(config.lanes)
        for lane in range(config.lanes):
            skew = setting(f"skew_{lane}", lane_skews(program, lane))
            m.d.comb += starts[lane].eq(dot.bool() & (image == lane) | ~dot.bool() & (line == skew))
        inside = (y >= 0) & (y < height)
        mask = Signal(config.line_pixels)
        for i in range(config.line_pixels):
            m.d.comb += mask[i].eq(inside & (x >= -i) & (x + i < width))

        def later(value, name, *, reset=False):
            return delay(m, value, self.latency, name=name, reset=reset)

        m.d.comb += [
            self.starts.eq(later(starts & running.replicate(config.lanes), "starts", reset=True)),
            self.half_filled.eq(later(running & whole_group, "filled", reset=True)),
            self.row.eq(later(line[:3], "row")),
            self.channel.eq(later(channel, "channel")),
            self.half.eq(later(half, "half")),
            self.mask.eq(later(mask, "mask")),
        ]
        return m
