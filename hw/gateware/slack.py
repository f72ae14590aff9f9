"""A register in a stream of steps: what leaves a deep memory has a clock to cross its output multiplexer."""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out


class Slack(wiring.Component):
    """Members: ``i_valid``, ``i_step``, ``i_take`` towards the memory; ``valid``, ``step``, ``take`` towards
    the array, which may take a step in every clock in which ``valid`` is high. ``clear`` (a pulse) drops the
    step that is held. Latency: 1 clock, no bubbles.
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
        m.d.comb += [self.i_take.eq(~self.valid | self.take), self.step.eq(held)]
        with m.If(self.i_take):
            m.d.sync += [self.valid.eq(self.i_valid), held.eq(self.i_step)]
        with m.If(self.clear):
            m.d.sync += self.valid.eq(0)
        return m
