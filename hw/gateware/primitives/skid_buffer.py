"""Two registers in a stream of steps, between a deep memory and the array.

What leaves the memory has a clock to cross its output multiplexer, and whether the array takes a step
decides nothing in the memory in the same clock.
"""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import StepFormat
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicate
from hw.gateware.primitives.micro_instruction import ends_layout, ends_of, step_layout


class SkidBuffer(wiring.Component):
    """Members: ``i_valid``, ``i_step``, ``i_take`` towards the memory; ``valid``, ``ends``, ``take`` towards
    the array, which may take a step in every clock in which ``valid`` is high, and finds all of it at
    ``step`` in the clock after that. ``clear`` (a pulse) drops the steps that are held. Latency: 1 clock, no
    bubbles.

    A step is a thousand bits and more, and whether they move is decided late in a clock. So only the bits
    that the controller decides by, its ends, are there in time; the rest does the same a clock later, in
    parts of ``MAX_FANOUT`` bits with registers of their own that say what the ends did.
    """

    def __init__(self, step: StepFormat):
        self.format = step
        super().__init__(
            {
                "i_valid": In(1),
                "i_step": In(step_layout(step)),
                "i_take": Out(1),
                "clear": In(1),
                "valid": Out(1),
                "ends": Out(ends_layout(step)),
                "take": In(1),
                "step": Out(step_layout(step)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        spared = Signal()  # a step that came when the one before it was still held
        moves = ~self.valid | self.take
        ends = self._stage(m, ends_of(self.format, self.i_step), spared, moves, "ends")
        m.d.comb += [self.i_take.eq(~spared), self.ends.as_value().eq(ends)]
        with m.If(moves):
            m.d.sync += [self.valid.eq(self.i_valid | spared), spared.eq(0)]
        with m.Elif(self.i_valid):
            m.d.sync += spared.eq(1)
        with m.If(self.clear):
            m.d.sync += [self.valid.eq(0), spared.eq(0)]

        arrived = delay(m, self.i_step.as_value(), 1, name="arrived")
        parts = []
        for first in range(0, len(arrived), MAX_FANOUT):
            name = f"part_{first // MAX_FANOUT}"
            flags = (
                replicate(m, flag, name=f"{name}_{what}")
                for what, flag in (("spared", spared), ("moves", moves))
            )
            parts.append(self._stage(m, arrived[first : first + MAX_FANOUT], *flags, name))
        m.d.comb += self.step.as_value().eq(Cat(*parts))
        return m

    def _stage(self, m, arriving, spared, moves, name):
        """``arriving``, or what was put aside when it came, as soon as it ``moves``."""
        spare, held = (
            Signal(len(arriving), name=f"{name}_{which}", reset_less=True) for which in ("spare", "held")
        )
        chosen = Mux(spared, spare, arriving)
        m.d.sync += spare.eq(chosen)
        with m.If(moves):
            m.d.sync += held.eq(chosen)
        return held
