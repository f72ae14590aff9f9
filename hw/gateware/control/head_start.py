"""Head start: counts what the output stage has completed, and holds the fetch back until it may read it.

The numbers are those of :mod:`hw.compile.head_start`. Once the output stage works on the same instruction as
the fetch, all that it reads is there.
"""

from amaranth import C, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.head_start import counts_all, passes_counted
from hw.compile.program import Program
from hw.gateware.primitives.delay import delay, per_layer


class HeadStartGate(wiring.Component):
    """Ports:

    ============== ==== ========== ===================================================================
    port           flow width      meaning
    ============== ==== ========== ===================================================================
    writes         in   ⌈log2 L⌉   the instruction that the output stage is at work on,
    starts         in   1          a pulse: it begins with it
    pass_ends      in   1          a pulse: the last token of a pass is sent,
    last_set       in   1          of the layer's last set of blocks
    reads          in   ⌈log2 L⌉   the instruction that is fetched,
    start          in   1          a pulse: it begins
    channel_ends   in   1          a pulse: the last line of a channel is asked for,
    group_ends     in   1          of a tile group (in dot mode of an image)
    channel_pauses out  1          beside ``channel_ends``: the next line has to wait for ``open``
    group_pauses   out  1          likewise, beside ``group_ends``. Known before anything ends
    open           out  1          the next segment may be fetched, from the clock after the next one on
    ============== ==== ========== ===================================================================

    Parameters: ``program``; ``tail``: clocks from a pass's last token until its last pixel can be read.
    """

    def __init__(self, program: Program, tail: int):
        self.program, self.tail = program, tail
        layer = range(len(program.layers))
        super().__init__(
            {
                "writes": In(layer),
                "starts": In(1),
                "pass_ends": In(1),
                "last_set": In(1),
                "reads": In(layer),
                "start": In(1),
                "channel_ends": In(1),
                "group_ends": In(1),
                "channel_pauses": Out(1),
                "group_pauses": Out(1),
                "open": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        program = self.program
        plans, batch = program.layers, program.config.batch
        heads = program.head_starts
        most = max(passes_counted(plan, batch) for plan in plans) + 1 + max(head.more for head in heads)

        # What is complete.
        every = per_layer(m, self.writes, [int(counts_all(p, batch)) for p in plans], name="every")
        counted = delay(m, self.pass_ends & (self.last_set | every), self.tail, name="counted", reset=True)
        passes = Signal(range(most + 1), reset_less=True)
        with m.If(self.starts):
            m.d.sync += passes.eq(0)
        with m.Elif(counted):
            m.d.sync += passes.eq(passes + 1)

        # What is wanted. A wanted number is compared in the clock after that in which it is known.
        first = per_layer(m, self.reads, [head.first for head in heads], name="first")
        more = per_layer(m, self.reads, [head.more for head in heads], name="more")
        least = min(0, *(head.first for head in heads))
        # The starts of a run set both numbers, and the comparisons follow them.
        wanted = Signal(range(least, most + 1), reset_less=True)
        fresh, enough, caught_up = Signal(), Signal(reset_less=True), Signal(reset_less=True)
        # Whether a segment ends with a channel is known before the channel ends: the fetch decides by it.
        of_channel = self._ends_with_channel(m)
        segment_ends = Signal()
        m.d.comb += [
            segment_ends.eq(self.group_ends | (self.channel_ends & of_channel)),
            self.channel_pauses.eq(of_channel & ~caught_up),
            self.group_pauses.eq(~caught_up),
            self.open.eq(caught_up | (enough & ~fresh)),
        ]
        m.d.sync += [
            fresh.eq(self.start | segment_ends),
            enough.eq(passes >= wanted),
            caught_up.eq(self.reads == self.writes),
        ]
        with m.If(self.start):
            m.d.sync += wanted.eq(first)
        with m.Elif(segment_ends & ~caught_up):
            m.d.sync += wanted.eq(wanted + more)
        return m

    def _ends_with_channel(self, m):
        """Whether the channel that is fetched is the last one of a segment."""
        heads, rows = self.program.head_starts, self.program.config.rows
        if not any(head.of_channels for head in heads):
            return C(0)
        of_channels = per_layer(m, self.reads, [int(head.of_channels) for head in heads], name="of_channels")
        left, last = (
            Signal(range(rows), reset_less=True),
            Signal(reset_less=True),
        )  # channels of the segment after this one; there are none
        with m.If(self.start | self.group_ends | (self.channel_ends & last)):
            m.d.sync += [left.eq(rows - 1), last.eq(0)]
        with m.Elif(self.channel_ends):
            m.d.sync += [left.eq(left - 1), last.eq(left == 1)]
        return of_channels & last
