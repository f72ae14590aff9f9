"""Skid buffer: two registers in a stream of steps, between a deep memory and the array.

What leaves the memory has a clock to cross its output multiplexer, and whether the array takes a step
decides nothing in the memory in the same clock.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import StepFormat
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicas, replicate
from hw.gateware.primitives.micro_instruction import ends_layout, ends_of, step_layout


class SkidBuffer(wiring.Component):
    """Members: ``i``, a stream of steps from the memory. ``ends``, a stream of what each step ends, to the
    array, which may take one in every clock in which it is valid, and finds all of the step at ``step`` in
    the clock after that. ``clear`` (a pulse) drops the steps that are held. Each bit of ``full`` is a
    register of its own for what drives the memory, and says that ``i`` is not ready, from the second clock
    after a reset on. Latency: 1 clock, no bubbles. Parameters: ``step``; ``full``: bits of that, which is not
    there without any.

    A step is a thousand bits and more, and whether they move is decided late in a clock. So only the bits
    that the controller decides by, its ends, are there in time; the rest does the same a clock later, in
    parts of ``MAX_FANOUT`` bits with registers of their own that say what the ends did.
    """

    def __init__(self, step: StepFormat, full: int = 0):
        self.format = step
        super().__init__(
            {
                "i": In(stream.Signature(step_layout(step))),
                "clear": In(1),
                **({"full": Out(full)} if full else {}),  # a vector of no bits is [-1:0] in Verilog
                "ends": Out(stream.Signature(ends_layout(step))),
                "step": Out(step_layout(step)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        skid = Signal()  # a step came when the one before it was still held
        next_skid = Signal()
        moves = ~self.ends.valid | self.ends.ready
        ends = self._stage(m, ends_of(self.format, self.i.payload), skid, moves, "ends")
        m.d.comb += [self.i.ready.eq(~skid), self.ends.payload.as_value().eq(ends)]
        m.d.comb += next_skid.eq(skid)
        with m.If(moves):
            m.d.sync += self.ends.valid.eq(self.i.valid | skid)
            m.d.comb += next_skid.eq(0)
        with m.Elif(self.i.valid):
            m.d.comb += next_skid.eq(1)
        with m.If(self.clear):
            m.d.sync += self.ends.valid.eq(0)
            m.d.comb += next_skid.eq(0)
        m.d.sync += skid.eq(next_skid)
        if "full" in self.signature.members:
            m.d.comb += self.full.eq(Cat(replicas(m, next_skid, len(self.full), name="full")))

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
