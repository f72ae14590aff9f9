"""Fetch controller: goes through the tile groups and asks feature memory for their lines.

A tile group of R × Q lanes needs, of every input channel,

* where rows of the map are packed, 8 lines: a line holds a row for every lane row, of one image or a stack;
* else (R-1)·S + 8 lines: lane row r starts its tile r·S lines after lane row 0.

In dot mode the lines of one image go to one lane, image by image.

The controller counts lines and channels; where they lie is the matter of the address generator
(:mod:`hw.gateware.control.address_generator`), and what they mean to the lanes that of the lane flags
(:mod:`hw.gateware.control.lane_flags`).
"""

from amaranth import C, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.compile.program import Program
from hw.gateware.control.address_generator import AddressGenerator
from hw.gateware.control.lane_flags import LaneFlags
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.primitives.delay import delay, per_layer, replicate


class Fetch(wiring.Component):
    """Ports, by the clock in which they are valid:

    ============== ==== ============== =====================================================================
    port           flow width          meaning
    ============== ==== ============== =====================================================================
    start          in   1              a pulse: begin layer ``layer`` for ``images`` images
    layer          in   ⌈log2 L⌉       instruction of the layer program, constant while ``busy``
    images         in   batch          images of the run
    busy           out  1              a line is asked for
    done           out  1              a pulse: the last line of the layer is asked for
    open           in   1              the lines that follow may be read
    channel_ends   out  1              a pulse: the last line of a channel is asked for,
    group_ends     out  1              of a tile group (in dot mode of an image);
    channel_pauses in   1              with ``channel_ends``: the next line waits for ``open``;
    group_pauses   in   1              with ``group_ends``: likewise. Both are known before
    half_free      in   1              an X half can be filled
    half_taken     out  1              a pulse: one is begun
    r_line         out  memory lines   to feature memory: the line,
    r_far_line     out  memory lines   the one that goes on where it ends,
    r_far          out  line pixels    banks that are read there whatever the offset,
    r_offset       out  pixel in line  and the first pixel
    ============== ==== ============== =====================================================================

    A clock before the memory's output: ``beyond`` (1 bit, packed rows: the line holds every lane row's
    window one packed row further on). Aligned with it:

    ============== ==== ============== =====================================================================
    starts         out  lanes          bit p: this line is row 0 of lane p's tile; in dot mode: is lane p's
    inside         out  lanes          bit p: lane p's row is inside the map
    signed         out  lanes          bit p, all alike: the channel has signed pixels (only where a layer
                                       reads channels of both kinds)
    mask           out  line pixels    pixels inside the map's columns
    row            out  3              dot mode: index of the line in its map
    channel        out  channels       input channel
    half           out  1              X half that the line goes to
    half_filled    out  1              a pulse: this is the last line of the half
    ============== ==== ============== =====================================================================

    Parameters: ``program``; ``latency`` of the feature memory, from ``r_line`` to its pixels.
    """

    def __init__(self, program: Program, latency: int):
        self.program, self.latency = program, latency
        config = program.config
        self.channel_bits = ceil_log2(max(2, *(p.channels for p in program.layers)))
        super().__init__(
            {
                "start": In(1),
                "layer": In(range(len(program.layers))),
                "images": In(range(config.batch + 1)),
                "busy": Out(1),
                "done": Out(1),
                "open": In(1),
                "channel_ends": Out(1),
                "group_ends": Out(1),
                "channel_pauses": In(1),
                "group_pauses": In(1),
                "half_free": In(1),
                "half_taken": Out(1),
                "half_filled": Out(1),
                "r_line": Out(range(program.memory_lines)),
                "r_far_line": Out(range(program.memory_lines)),
                "r_far": Out(config.line_pixels),
                "r_offset": Out(range(config.line_pixels)),
                "starts": Out(config.lanes),
                "inside": Out(config.lanes),
                **({"signed": Out(config.lanes)} if program.mixes_signs else {}),
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
        m.submodules.loops = loops = LoopNest(self.program, blocks=False, dot_images=True)
        m.d.comb += [loops.layer.eq(self.layer), loops.images.eq(self.images), loops.start.eq(self.start)]
        dot = self._setting(m, "dot", [int(p.dot) for p in plans])
        last_line = self._setting(m, "last_line", [p.lines_per_channel - 1 for p in plans])
        first_channel, last_channel, top_channel, single = self._order_channels(m)
        last_packed = self._last_packed(m)

        position = AddressGenerator(m, self.layer, self.program, loops, dot)
        # A start sets all of them but the half.
        line, channel = Signal.like(last_line, reset_less=True), Signal(self.channel_bits, reset_less=True)
        half, beyond = Signal(), Signal(reset_less=True)
        # Flags: the state is RUN, the counters stand at their ends.
        running = Signal()
        end_channel, last = Signal(reset_less=True), Signal(reset_less=True)
        number, end_columns = self._number_channels(m, channel, first_channel, end_channel, last)
        end_pass = end_channel & last & end_columns
        filled = end_pass & (~dot | loops.ends)

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.start):
                    position.start(m)
                    m.d.sync += Cat(line, beyond, end_channel).eq(0)
                    m.d.sync += [channel.eq(first_channel), last.eq(single)]
                    m.next = "WAIT"
            with m.State("WAIT"):
                with m.If(self.half_free & self.open):
                    m.d.comb += self.half_taken.eq(1)
                    m.d.sync += running.eq(1)
                    m.next = "RUN"
            with m.State("PAUSE"):
                with m.If(self.open):
                    m.d.sync += running.eq(1)
                    m.next = "RUN"
            with m.State("RUN"):
                m.d.sync += [line.eq(line + 1), end_channel.eq(line + 1 == last_line)]
                position.next_row(m)
                with m.If(line == last_packed):
                    m.d.sync += beyond.eq(1)
                    position.first_line_again(m)
                with m.If(end_channel):
                    m.d.sync += [
                        Cat(line, beyond, end_channel).eq(0),
                        channel.eq(channel + 1),
                        last.eq(channel + 1 == last_channel),
                    ]
                    position.next_channel(m)
                if any(head.first_channel for head in self.program.head_starts):
                    with m.If(end_channel & (channel == top_channel) & ~last):
                        m.d.sync += [Cat(channel, number).eq(0), last.eq(last_channel == 0)]
                        position.channel_0(m)
                with m.If(end_channel & last & ~end_columns):
                    m.d.sync += [channel.eq(0), last.eq(single)]
                    position.next_columns(m)
                with m.If(end_pass):
                    m.d.sync += [channel.eq(first_channel), last.eq(single)]
                    position.next_group(m)
                with m.If((end_channel & self.channel_pauses) | (end_pass & self.group_pauses)):
                    m.d.sync += running.eq(0)
                    m.next = "PAUSE"
                with m.If(filled):
                    m.d.sync += [half.eq(~half), running.eq(0)]
                    m.next = "WAIT"
                    with m.If(loops.ends):
                        m.next = "IDLE"
        self._tell(m, loops, running=running, end_channel=end_channel, end_pass=end_pass, filled=filled)
        self._request(m, position, beyond, last_packed)
        flags = self._flag_lanes(m, position, dot=dot, stack=loops.stack, line=line)
        self._travel(m, flags, running=running, filled=filled, line=line, channel=number, half=half)
        self._travel_a_clock_less(m, flags.inside, beyond)
        if self.program.mixes_signs:
            self._send_signs(m, number)
        return m

    def _tell(self, m, loops, *, running, end_channel, end_pass, filled):
        """What ends with the line that is asked for."""
        m.d.comb += [
            self.busy.eq(running),
            loops.step.eq(running & end_pass),
            self.channel_ends.eq(running & end_channel),
            self.group_ends.eq(running & end_pass),
            self.done.eq(running & filled & loops.ends),
        ]

    def _last_packed(self, m):
        """Packed rows: the line after which a window goes on one packed row further, one tile row down; -1
        where it never does."""
        plans = self.program.layers
        lines = [p.tile_stride - 1 if p.packing > 1 and p.layer.transformed else -1 for p in plans]
        return self._setting(m, "last_packed", lines)

    def _order_channels(self, m):
        """Of a tile group: the channels that are fetched first and last, the highest one, after which 0
        follows, and whether it is the only one. Mostly they are fetched from 0 on."""
        firsts = [head.first_channel for head in self.program.head_starts]
        tops = [plan.seen.shape[0] - 1 for plan in self.program.layers]
        lasts = [(n - 1) % (top + 1) for n, top in zip(firsts, tops, strict=True)]
        names = ("first_channel", "last_channel", "top_channel", "single")
        numbers = (firsts, lasts, tops, [int(top == 0) for top in tops])
        return [self._setting(m, name, values) for name, values in zip(names, numbers, strict=True)]

    def _flag_lanes(self, m, position, *, dot, stack, line):
        """What the line asked for means to every lane."""
        m.submodules.flags = flags = LaneFlags(self.program, line.shape(), len(position.x))
        m.d.comb += [
            flags.layer.eq(self.layer),
            flags.dot.eq(dot),
            flags.stack.eq(stack),
            flags.line.eq(line),
            flags.x.eq(position.x),
            flags.y.eq(position.y),
        ]
        return flags

    def _number_channels(self, m, channel, first_channel, end_channel, last):
        """(number of the channel at hand in the X buffer, whether its columns are the last ones): where no
        layer goes over its channels more than once, the channel itself, and yes."""
        counts = [p.dot_columns for p in self.program.layers]
        if max(counts) == 1:
            return channel, C(1)
        number = Signal.like(channel, name="number", reset_less=True)
        columns = Signal(range(max(counts)), reset_less=True)
        last_columns = self._setting(m, "last_columns", [count - 1 for count in counts])
        end = columns == last_columns
        with m.If(self.start):
            m.d.sync += [number.eq(first_channel), columns.eq(0)]
        with m.Elif(end_channel):
            m.d.sync += number.eq(number + 1)
            with m.If(last):
                m.d.sync += columns.eq(columns + 1)
                with m.If(end):
                    m.d.sync += [number.eq(first_channel), columns.eq(0)]
        return number, end

    def _setting(self, m, name, values):
        return per_layer(m, self.layer, values, name=name)

    def _request(self, m, position, beyond, last_packed):
        """What feature memory is asked for. Where packed rows go on one packed row further, the last lane
        row's window goes on in the first packed row, a whole tile group down."""
        plans = self.program.layers
        widths = [p.source.slot_pixels if p.packing > 1 else 0 for p in plans]
        first_packed = self._setting(m, "first_packed", [(1 << width) - 1 for width in widths])
        offset_bits = len(self.r_offset)
        m.d.comb += [
            self.r_line.eq(position.address + (position.x >> offset_bits)),
            self.r_far_line.eq(self.r_line + Mux(last_packed >= 0, last_packed + 1, 1)),
            self.r_far.eq(first_packed & beyond.replicate(len(self.r_far))),
            self.r_offset.eq(position.x[:offset_bits]),
        ]

    def _travel(self, m, flags, *, running, filled, line, channel, half):
        """What arrives together with the line's pixels."""
        lanes = self.program.config.lanes
        travelling = [
            ("starts", self.starts, flags.starts & running.replicate(lanes), True),
            ("filled", self.half_filled, running & filled, True),
            ("mask", self.mask, flags.mask, False),
            ("row", self.row, line[:3], False),
            ("channel", self.channel, channel, False),
            ("half", self.half, half, False),
        ]
        for name, port, value, reset in travelling:
            m.d.comb += port.eq(delay(m, value, self.latency, name=name, reset=reset))

    def _travel_a_clock_less(self, m, inside, beyond):
        """``beyond`` is due a clock earlier. Rows of lanes are inside together, but every lane has a register
        that says so."""
        m.d.comb += self.beyond.eq(delay(m, beyond, self.latency - 1, name="beyond"))
        inside = delay(m, inside, self.latency - 1, name="inside")
        m.d.comb += self.inside.eq(
            Cat(replicate(m, flag, name=f"inside_of_{lane}") for lane, flag in enumerate(inside))
        )

    def _send_signs(self, m, channel):
        """Of the channel whose line arrives; every lane has a register of its own."""
        signed = self.program.signed_channels
        pairs = list(zip(signed, self.program.layers, strict=True))
        first = self._setting(m, "first_signed", [channels.start for channels in signed])
        # All channels of a map may be seen as others.
        ends = [p.channels if len(channels) == p.source.shape[0] else channels.stop for channels, p in pairs]
        end = self._setting(m, "end_signed", ends)
        is_signed = Signal(reset_less=True)
        m.d.sync += is_signed.eq((channel >= first) & (channel < end))
        travelled = delay(m, is_signed, self.latency - 2, name="is_signed")
        m.d.comb += self.signed.eq(
            Cat(replicate(m, travelled, name=f"signed_of_{lane}") for lane in range(len(self.signed)))
        )
