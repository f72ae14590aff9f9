"""Two registers in a stream of steps, between a deep memory and the array.

What leaves the memory has a clock to cross its output multiplexer, and whether the array takes a step
decides nothing in the memory in the same clock.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Slack(wiring.Component):
    """Members: ``i_valid``, ``i_step``, ``i_take`` towards the memory; ``valid``, ``step``, ``take`` towards
    the array, which may take a step in every clock in which ``valid`` is high. ``clear`` (a pulse) drops the
    steps that are held. Latency: 1 clock, no bubbles.
    """

    def __init__(self, layout):
        super().__init__(
            {
                "i_valid": In(1),
                "i_step": In(layout),
                "i_take": Out(1),
                "clear": In(1),
                "valid": Out(1),
                "step": Out(layout),
                "take": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        held = Signal.like(self.step, name="held", reset_less=True)
        spare = Signal.like(self.step, name="spare", reset_less=True)
        spared = Signal()  # a step that came when the one before it was still held
        m.d.comb += [self.i_take.eq(~spared), self.step.eq(held)]
        with m.If(~spared):
            m.d.sync += spare.eq(self.i_step)
        with m.If(~self.valid | self.take):
            m.d.sync += [self.valid.eq(self.i_valid | spared), spared.eq(0)]
            m.d.sync += held.eq(Mux(spared, spare, self.i_step))
        with m.Elif(self.i_valid):
            m.d.sync += spared.eq(1)
        with m.If(self.clear):
            m.d.sync += [self.valid.eq(0), spared.eq(0)]
        return m
