"""The interrupt: events are kept until the host clears them, and those that it enabled hold a line up."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.ports.axilite import fields_layout
from hw.host_interface.registers import INTERRUPT, INTERRUPT_ENABLE


class Interrupt(wiring.Component):
    """Members: ``busy``, ``framing_error``, ``memory_error`` of STATUS. An event is the fall of the first,
    the rise of one of the others. ``pending`` has it from the clock after on, until ``clear`` has its bit, or
    ``abort`` is up: of a clear and an event in one clock the event stays, of an abort and an event neither
    does. ``abort`` is up until the clock in which ``busy`` is low because of it; that fall is no event.
    ``line``: an event that ``enable`` has is pending; level-sensitive, high, a clock behind both.

    ``line`` is a register, so that it has no glitches for whoever takes it into another clock.
    """

    def __init__(self):
        super().__init__(
            {
                "busy": In(1),
                "framing_error": In(1),
                "memory_error": In(1),
                "abort": In(1),
                "enable": In(fields_layout(INTERRUPT_ENABLE)),
                "clear": In(fields_layout(INTERRUPT)),
                "pending": Out(fields_layout(INTERRUPT)),
                "line": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        idle = Signal()
        levels = Cat(idle, self.framing_error, self.memory_error)
        before = Signal.like(levels, name="before", init=1)
        pending = self.pending.as_value()
        m.d.comb += idle.eq(~self.busy | self.abort)
        m.d.sync += [
            before.eq(levels),
            pending.eq((pending & ~self.clear.as_value()) | (levels & ~before)),
            self.line.eq((pending & self.enable.as_value()).any()),
        ]
        with m.If(self.abort):
            m.d.sync += pending.eq(0)
        return m
