"""Channel loader: the first beats of a run are the channel table, which the drain controller keeps; the
others are weights.

A run's table is complete before its first weights are in the buffer, and every run brings it anew: nobody has
to remember what a host wrote when.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.weight_stream import StreamPlan


class ChannelLoader(wiring.Component):
    """Parameters: ``plan``; ``drain_group_bits``: width of an entry of the table, lowest bits first.

    Members
    -------
    start: in, 1. A pulse: a run begins; its beats come later.
    valid: in, 1. A beat comes; it cannot be stalled.
    beat: in, ``bus_bits``. Its data, with ``valid``.
    weights: out, 1. A beat comes, and it is of weights: ``valid`` but for the first ``table_beats`` of a run.
    w_en: out, 1. A clock after an entry's last beat: write it,
    w_addr: out, 0 .. ``drain_groups`` - 1. here.
    w_data: out, ``drain_group_bits``. The entry.
    """

    def __init__(self, plan: StreamPlan, drain_group_bits: int):
        self.plan = plan
        super().__init__(
            {
                "start": In(1),
                "valid": In(1),
                "beat": In(plan.bus_bits),
                "weights": Out(1),
                "w_en": Out(1),
                "w_addr": Out(range(max(2, plan.drain_groups))),
                "w_data": Out(drain_group_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        plan, width = self.plan, len(self.w_data)
        filling = Signal()
        group = Signal.like(self.w_addr)
        whole = 1  # the beat at hand ends an entry
        data = self.beat
        if plan.drain_group_beats > 1:
            whole, data = self._joined(m)
        complete = Signal()
        m.d.comb += [
            self.weights.eq(self.valid & ~filling),
            complete.eq(self.valid & filling & whole),
        ]
        m.d.sync += [self.w_en.eq(complete), self.w_addr.eq(group)]
        kept = Signal(width, reset_less=True)
        m.d.comb += self.w_data.eq(kept)
        m.d.sync += kept.eq(data)
        with m.If(complete):
            m.d.sync += [group.eq(group + 1), filling.eq(group != plan.drain_groups - 1)]
        with m.If(self.start):
            m.d.sync += [filling.eq(1), group.eq(0)]
        return m

    def _joined(self, m):
        """Of entries of several beats: whether the one at hand is the last, and all of them up to it."""
        before = [
            Signal(self.plan.bus_bits, name=f"before_{i}", reset_less=True)
            for i in range(self.plan.drain_group_beats - 1)
        ]
        count = Signal(range(self.plan.drain_group_beats))
        whole = Signal()
        m.d.comb += whole.eq(count == self.plan.drain_group_beats - 1)
        with m.If(self.valid):
            m.d.sync += count.eq(count + 1)
            for older, newer in zip(before, [*before[1:], self.beat], strict=True):
                m.d.sync += older.eq(newer)
            with m.If(whole):
                m.d.sync += count.eq(0)
        with m.If(self.start):
            m.d.sync += count.eq(0)
        return whole, Cat(*before, self.beat)
