"""Address generator of the fetch controller: line address and map coordinates of the line asked for."""

from collections.abc import Sequence

from amaranth import C, Module, Mux, Signal, signed
from amaranth.lib import data
from amaranth.utils import ceil_log2

from hw.compile.layer_plan import LayerPlan
from hw.compile.program import Program
from hw.contract.spectrum import TILE
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.control.ring_pointer import RingPointer, top_row
from hw.gateware.primitives.delay import per_layer


def first_line(plan: LayerPlan) -> int:
    """Line of the first row of an instruction's first window, from the first line of the map.

    The row may lie above the map. Packed rows begin with the padding, so their windows begin with a line.
    """
    if plan.packing > 1:
        return plan.top_group * plan.group_lines
    top = top_row(plan)
    return (top % plan.source.ring if plan.source.ring else top) * plan.source.lines_per_row


class AddressGenerator:
    """Adds its registers to ``m``; the caller steps it, in a state and under conditions of its own.

    Signals: ``address``: the line at hand in feature memory, without the lines by which ``x`` lies to the
    right in a wide map; ``x``, ``y``: column and row of the map at which the line's window begins (signed:
    they may lie outside of it).

    The next tile group is the one beside this one, else the one below, else the next image's first one, else
    that of the first image again, for the next block of outputs. It is chosen while this one is fetched,
    three clocks before it is needed at the latest. A layer's start sets what has to be known from then on, so
    nothing here is reset.

    Parameters: ``layer`` selects a layer of ``program``; ``loops`` stands at the pass of the line at hand;
    ``dot``: the layer is fully connected (a signal). If several steps are taken in one clock, the last one
    counts.
    """

    def __init__(self, m: Module, layer: Signal, program: Program, loops: LoopNest, dot: Signal):
        self._first_channels = [head.first_channel for head in program.head_starts]
        self._loops, self._dot = loops, dot
        plans = program.layers
        group_height = per_layer(m, layer, [p.group_height for p in plans], name="group_height")
        self._ring = RingPointer(m, layer, plans, group_height)
        self._settings(m, layer, plans)

        self.address = Signal(range(program.memory_lines), reset_less=True)
        # Of the window's first row: in this channel, in the first one, and of the image's first window.
        self._channel, self._group, self._image = (
            Signal.like(self.address, name=f"{name}_address", reset_less=True)
            for name in ("channel", "group", "image")
        )
        span = signed(ceil_log2(max(n for p in plans for n in p.source.shape[1:]) + 64) + 2)
        self.x, self.y, self._top = (Signal(span, name=name, reset_less=True) for name in ("x", "y", "top"))
        self._next_image = Signal.like(self.address, name="next_image", reset_less=True)
        m.d.sync += self._next_image.eq(
            Mux(loops.stack_wraps, self._first_line, self._image + self._map_lines)
        )
        self._next_group = self._choose_next_group(m, span, group_height)
        self._lowest = Signal.like(self.address, name="lowest", reset_less=True)  # of channel 0
        m.d.sync += self._lowest.eq(self._group - self._lines_above)

    def _settings(self, m: Module, layer: Signal, plans: Sequence[LayerPlan]) -> None:
        """Constants of the layer. Steps have a second size, ``…_back``, for those over the ring's end."""

        def setting(name: str, values: Sequence[int]) -> Signal:
            return per_layer(m, layer, values, name=name)

        self._channel_lines = setting("channel_lines", [p.seen.channel_lines for p in plans])
        self._map_lines = setting("map_lines", [p.source.stack_lines for p in plans])
        above = [n * p.seen.channel_lines for n, p in zip(self._first_channels, plans, strict=True)]
        first = [p.source.base + first_line(p) + lines for p, lines in zip(plans, above, strict=True)]
        self._first_line = setting("first_line", first)
        self._lines_above = setting("lines_above", above)
        rings = [p.source.ring * p.source.lines_per_row for p in plans]
        rows = [p.source.lines_per_row * p.layer.sampling for p in plans]
        groups = [p.group_lines for p in plans]
        self._row_lines = setting("row_lines", rows)
        self._row_back = setting("row_back", [n - ring for n, ring in zip(rows, rings, strict=True)])
        self._group_lines = setting("group_lines", groups)
        self._group_back = setting("group_back", [n - ring for n, ring in zip(groups, rings, strict=True)])
        paddings = [0 if p.packing > 1 else p.layer.tile_padding for p in plans]
        self._first_x = setting("first_x", [-padding for padding in paddings])
        self._first_y = setting("first_y", [top_row(p) for p in plans])
        self._group_width = setting("group_width", [p.lane_columns * p.tile_stride for p in plans])
        samplings = [p.layer.sampling for p in plans]
        self._sampling = setting("sampling", samplings) if max(samplings) > 1 else C(1)

    def _choose_next_group(self, m: Module, span, group_height: Signal) -> data.View:
        """A register: where the next tile group begins."""
        loops, ring = self._loops, self._ring
        below = Signal(
            data.StructLayout({"address": len(self.address), "position": ring.bits}), reset_less=True
        )
        m.d.sync += [
            below.position.eq(ring.below),
            below.address.eq(self._group + Mux(ring.below_wraps, self._group_back, self._group_lines)),
        ]
        group = data.StructLayout(
            {"address": len(self.address), "position": len(ring.position), "x": span, "top": span}
        )
        following = Signal(group, reset_less=True)
        m.d.sync += [
            following.x.eq(Mux(loops.column_wraps, self._first_x, self.x + self._group_width)),
            following.top.eq(self._top),
            following.position.eq(ring.top),
            following.address.eq(self._group),
        ]
        with m.If(loops.column_wraps):
            top = Mux(loops.row_wraps, self._first_y, self._top + group_height)
            m.d.sync += [
                following.top.eq(top),
                following.position.eq(Mux(loops.row_wraps, ring.first, below.position)),
                following.address.eq(Mux(loops.row_wraps, self._next_image, below.address)),
            ]
        return following

    def start(self, m: Module) -> None:
        """Go to the layer's first line."""
        self._ring.start(m)
        addresses = (self.address, self._channel, self._group, self._image)
        m.d.sync += [
            self.x.eq(self._first_x),
            *(row.eq(self._first_y) for row in (self.y, self._top)),
            *(address.eq(self._first_line) for address in addresses),
        ]

    def next_row(self, m: Module) -> None:
        """Go to the next row of the channel."""
        self._ring.step(m)
        m.d.sync += [
            self.y.eq(self.y + self._sampling),
            self.address.eq(self.address + Mux(self._ring.wraps, self._row_back, self._row_lines)),
        ]

    def first_line_again(self, m: Module) -> None:
        """Go back to the channel's first line: packed rows go on there, one packed row further."""
        m.d.sync += self.address.eq(self._channel)

    def next_channel(self, m: Module) -> None:
        """Go to the same window of the next channel."""
        following = Signal.like(self.address, name="next_channel")
        m.d.comb += following.eq(self._channel + self._channel_lines)
        self._ring.back_to_top(m)
        m.d.sync += [
            self.y.eq(self._top),
            *(address.eq(following) for address in (self.address, self._channel)),
        ]

    def channel_0(self, m: Module) -> None:
        """Go to the same window of channel 0: where a tile group began with another one."""
        m.d.sync += [address.eq(self._lowest) for address in (self.address, self._channel)]

    def next_columns(self, m: Module) -> None:
        """Go to the first line again, 8 columns further: of maps that fully connected layers see in parts."""
        m.d.sync += [
            self.x.eq(self.x + TILE),
            self.y.eq(self._top),
            *(address.eq(self._group) for address in (self.address, self._channel)),
        ]

    def next_group(self, m: Module) -> None:
        """Go to the next tile group, or in dot mode to the next image.

        A pass of dot mode may be too short for the registers of the next tile group.
        """
        following = self._next_group
        self._ring.go_to(m, following.position)
        address = Mux(self._dot, self._next_image, following.address)
        m.d.sync += [
            self.x.eq(following.x),
            *(row.eq(following.top) for row in (self.y, self._top)),
            *(here.eq(address) for here in (self.address, self._channel, self._group)),
        ]
        with m.If(self._loops.row_wraps):
            m.d.sync += self._image.eq(self._next_image)
