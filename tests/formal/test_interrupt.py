"""No event is lost: it is pending until the host clears it or aborts, and the line says so a clock later."""

import pytest
from amaranth.hdl import Assert, Elaboratable, Module, ResetSignal

from hw.gateware.ports import interrupt
from hw.gateware.ports.interrupt import Interrupt
from tests.formal.proof import earlier, state

pytestmark = pytest.mark.formal


class Events(Elaboratable):
    """Any status, any host, resets at any time."""

    def __init__(self, block=Interrupt):
        self.dut = dut = block()
        status = [dut.busy, dut.framing_error, dut.memory_error]
        self.inputs = [*status, dut.abort, dut.enable.as_value(), dut.clear.as_value()]

    def elaborate(self, platform):
        m = Module()
        dut = self.dut
        m.submodules.dut, _ = state(dut)
        pending, clear = dut.pending.as_value(), dut.clear.as_value()
        ended = earlier(m, ResetSignal() | dut.abort, name="ended")
        kept = earlier(m, pending & ~clear, name="kept")
        busy = earlier(m, dut.busy & ~dut.abort, name="was_busy")
        levels = (dut.framing_error, dut.memory_error)
        before = [earlier(m, level, name=f"before_{i}") for i, level in enumerate(levels)]
        events = [busy & ~dut.busy, *(level & ~old for level, old in zip(levels, before, strict=True))]
        due = [earlier(m, event & ~ended, name=f"due_{i}") for i, event in enumerate(events)]
        with m.If(ended):
            m.d.comb += Assert(pending == 0)
        with m.Else():
            m.d.comb += Assert((pending & kept) == kept, "an event is gone that nobody has cleared")
            m.d.comb += [Assert(pending[i] | ~event, f"event {i} is lost") for i, event in enumerate(due)]
        enabled = earlier(m, (pending & dut.enable.as_value()).any() & ~ResetSignal(), name="enabled")
        m.d.comb += Assert(dut.line == enabled)
        return m


def test_the_interrupt(proven):
    proven(Events(), depth=4)


def test_a_clear_that_takes_a_new_event_with_it_is_found(refuted, planted):
    taken = planted(
        interrupt,
        Interrupt,
        "(pending & ~self.clear.as_value()) | (levels & ~before)",
        "(pending | (levels & ~before)) & ~self.clear.as_value()",
    )
    refuted(Events(taken), depth=8)
