"""Skid buffer: two registers in a stream of steps, between a deep memory and the array.

What leaves the memory's output register has a clock to cross its multiplexer, and whether the array takes a
step decides nothing in the memory in the same clock.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import StepFormat
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicas, replicate
from hw.gateware.primitives.micro_instruction import ends_layout, ends_of, step_layout


class SkidBuffer(wiring.Component):
    """Members: ``i``, a stream of steps that the memory reads; its payload is due a clock later, from the
    memory's output register, which this buffer drives. ``ends``, a stream of what each step ends, to the
    array, which may take one in every clock in which it is valid, and finds all of the step at ``step`` in
    the clock after that. ``clear`` (a pulse) drops the steps that are held. Each bit of ``full`` is a
    register of its own, for a share of the memory: ``i`` is not ready, and the memory's output register
    stays, from the second clock after a reset on. Latency: 2 clocks, no bubbles. Parameters: ``step``;
    ``full``: bits of that.

    A step is a thousand bits and more, and whether they move is decided late in a clock. So only the bits
    that the controller decides by, its ends, are there in time; the rest does the same a clock later, in
    parts of ``MAX_FANOUT`` bits with registers of their own that say what the ends did.
    """

    def __init__(self, step: StepFormat, full: int):
        self.format = step
        super().__init__(
            {
                "i": In(stream.Signature(step_layout(step))),
                "clear": In(1),
                "full": Out(full),
                "ends": Out(stream.Signature(ends_layout(step))),
                "step": Out(step_layout(step)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        out = Signal()  # the memory's output register holds a step
        skid = Signal()  # a step came when the one before it was still held
        both = Signal()
        next_out, next_skid = (Signal(name=name) for name in ("next_out", "next_skid"))
        moves = ~self.ends.valid | self.ends.ready
        ends = self._stage(m, ends_of(self.format, self.i.payload), skid, moves, "ends")
        m.d.comb += [
            self.i.ready.eq(~both),
            self.ends.payload.as_value().eq(ends),
            next_out.eq(Mux(self.i.ready, self.i.valid, 1)),
            next_skid.eq(skid),
        ]
        with m.If(moves):
            m.d.sync += self.ends.valid.eq(out | skid)
            m.d.comb += next_skid.eq(0)
        with m.Elif(out):
            m.d.comb += next_skid.eq(1)
        with m.If(self.clear):
            m.d.sync += self.ends.valid.eq(0)
            m.d.comb += [next_out.eq(0), next_skid.eq(0)]
        next_both = next_out & next_skid
        m.d.sync += [out.eq(next_out), skid.eq(next_skid), both.eq(next_both)]
        m.d.comb += self.full.eq(Cat(replicas(m, next_both, len(self.full), name="full")))

        arrived = delay(m, self.i.payload.as_value(), 1, name="arrived")
        parts = []
        for first in range(0, len(arrived), MAX_FANOUT):
            name = f"part_{first // MAX_FANOUT}"
            flags = (
                replicate(m, flag, name=f"{name}_{what}") for what, flag in (("skid", skid), ("moves", moves))
            )
            parts.append(self._stage(m, arrived[first : first + MAX_FANOUT], *flags, name))
        m.d.comb += self.step.as_value().eq(Cat(*parts))
        return m

    def _stage(self, m, arriving, skid, moves, name):
        """``arriving``, or what was put aside when it came, as soon as it ``moves``."""
        aside, held = (
            Signal(len(arriving), name=f"{name}_{which}", reset_less=True) for which in ("aside", "held")
        )
        chosen = Mux(skid, aside, arriving)
        m.d.sync += aside.eq(chosen)
        with m.If(moves):
            m.d.sync += held.eq(chosen)
        return held
