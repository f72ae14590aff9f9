"""Result gate: the last register before ``m_axis``, which keeps a stream's promises when a run is broken off.

It lies outside the reset that an abort pulls. What was offered stays offered until it is taken, and a frame
that was begun gets an end.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.ports.axi import AxiStream


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
        free = ~self.o.tvalid | self.o.tready
        m.d.comb += self.i.tready.eq(free & ~self.leftover & ~self.abort)
        # A register of its own, for the host looks at it far away: tvalid, but for what is left over.
        with m.If(self.o.tready):
            m.d.sync += [self.o.tvalid.eq(0), self.held.eq(0)]
        with m.If(self.i.tvalid & self.i.tready):
            m.d.sync += [
                self.o.tvalid.eq(1),
                self.held.eq(1),
                self.o.tdata.eq(self.i.tdata),
                self.o.tlast.eq(self.i.tlast),
                open_frame.eq(~self.i.tlast),
            ]
        with m.If(closing & free):
            m.d.sync += [self.o.tvalid.eq(1), self.o.tdata.eq(0), self.o.tlast.eq(1), closing.eq(0)]
        with m.If(self.leftover & ~closing & free):
            m.d.sync += self.leftover.eq(0)
        with m.If(self.abort):
            m.d.sync += self.held.eq(0)
            with m.If(open_frame | self.answer):
                m.d.sync += [open_frame.eq(0), closing.eq(1), self.leftover.eq(1)]
            with m.Elif(~free):
                m.d.sync += self.leftover.eq(1)
        return m
