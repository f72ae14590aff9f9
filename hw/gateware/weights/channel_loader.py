"""Channel loader: the beats of the channel table, put together into entries for the drain controller.

A run's table is complete before its first weights are in the buffer, and every run brings it anew: nobody has
to remember what a host wrote when.
"""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.weight_stream import StreamPlan
from hw.gateware.primitives.delay import delay


class ChannelLoader(wiring.Component):
    """Parameters: ``plan``; ``drain_group_bits``: width of an entry of the table, lowest bits first.

    Members
    -------
    start: in, 1. A pulse: a run begins; its beats come later.
    valid: in, 1. A beat of the table comes; it cannot be stalled.
    beat: in, ``bus_bits``. Its data, with ``valid``.
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
                "w_en": Out(1),
                "w_addr": Out(range(max(2, plan.drain_groups))),
                "w_data": Out(drain_group_bits),
            }
        )

    def elaborate(self, platform):
        m = Module()
        whole, data = self._joined(m) if self.plan.drain_group_beats > 1 else (1, self.beat)
        kept = Signal.like(self.w_data, reset_less=True)
        group = Signal.like(self.w_addr, reset_less=True)
        m.d.comb += [self.w_data.eq(kept), self.w_addr.eq(delay(m, group, 1, name="w_group"))]
        m.d.sync += [kept.eq(data), self.w_en.eq(self.valid & whole)]
        with m.If(self.valid & whole):
            m.d.sync += group.eq(group + 1)
        with m.If(self.start):
            m.d.sync += group.eq(0)
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
