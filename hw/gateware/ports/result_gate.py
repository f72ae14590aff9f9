"""Result gate: the last register before ``m_axis``, which keeps a stream's promises when a run is broken off.

It lies outside the reset that an abort pulls. What was offered stays offered until it is taken, and a frame
that was begun gets an end.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.ports.axi import AxiStream
from hw.gateware.primitives.delay import MAX_FANOUT, replicate, without_reset


class ResultGate(wiring.Component):
    """Parameter: ``bits`` of a beat. Members: ``i`` from the result ports, ``o`` to the host. ``abort`` (a
    pulse): ``i`` is reset after this clock, in which nothing is taken from it; if a frame is open, or
    ``answer`` is up with it, one more beat follows, of zeros, with ``tlast``: one in all, if that of a run
    before is still to come. ``held``: a beat of a run that goes on is offered; ``leftover``: beats of one
    that was broken off are.

    ``o`` is a register: valid and payload stay until they are taken, whatever happens but a reset, which
    empties it (``ARESETn`` of the stream). Beats of the next run come after what is left over.
    Latency: 1 clock, no bubbles.
    """

    def __init__(self, bits: int = 32):
        super().__init__(
            {
                "i": In(AxiStream(bits)),
                "o": Out(AxiStream(bits)),
                "abort": In(1),
                "answer": In(1),
                "held": Out(1),
                "leftover": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        open_frame, closing = (Signal(name=name) for name in ("open_frame", "closing"))
        next_valid, next_closing = (Signal(name=name) for name in ("next_valid", "next_closing"))
        free = ~self.o.tvalid | self.o.tready
        m.d.comb += self.i.tready.eq(free & ~self.leftover & ~self.abort)
        # A register of its own, for the host looks at it far away: tvalid, but for what is left over.
        m.d.comb += [next_valid.eq(self.o.tvalid), next_closing.eq(closing)]
        with m.If(self.o.tready):
            m.d.comb += next_valid.eq(0)
            m.d.sync += self.held.eq(0)
        with m.If(self.i.tvalid & self.i.tready):
            m.d.comb += next_valid.eq(1)
            m.d.sync += [self.held.eq(1), self.o.tlast.eq(self.i.tlast), open_frame.eq(~self.i.tlast)]
        with m.If(closing & free):
            m.d.comb += [next_valid.eq(1), next_closing.eq(0)]
            m.d.sync += self.o.tlast.eq(1)
        with m.If(self.leftover & ~closing & free):
            m.d.sync += self.leftover.eq(0)
        with m.If(self.abort):
            m.d.sync += self.held.eq(0)
            with m.If(open_frame | self.answer):
                m.d.comb += next_closing.eq(1)
                m.d.sync += [open_frame.eq(0), self.leftover.eq(1)]
            with m.Elif(~free):
                m.d.sync += self.leftover.eq(1)
        m.d.sync += [self.o.tvalid.eq(next_valid), closing.eq(next_closing)]
        self._keep_data(m, next_valid, next_closing)
        return m

    def _keep_data(self, m, next_valid, next_closing):
        """A beat's data stay while it is offered, and are of no account while none is. Whether they stay or
        are zeros is said to every ``MAX_FANOUT`` bits by registers of their own."""
        data = without_reset(m, self.o.tdata, name="data")
        for first in range(0, len(data), MAX_FANOUT):
            part = slice(first, first + MAX_FANOUT)
            valid = replicate(m, next_valid, name=f"valid_{first}", reset=True)
            closing = replicate(m, next_closing, name=f"closing_{first}", reset=True)
            with m.If(~valid | self.o.tready):
                m.d.sync += data[part].eq(self.i.tdata[part])
            with m.If(closing & (~valid | self.o.tready)):
                m.d.sync += data[part].eq(0)
