"""The skid buffer between weight memory and array: steps leave as they came, whatever stalls."""

import pytest
from amaranth.hdl import Assert, Elaboratable, Module, Mux, ResetSignal, Signal

from hw.compile.step_format import StepFormat
from hw.gateware.primitives import skid_buffer
from hw.gateware.primitives.delay import MAX_FANOUT
from hw.gateware.primitives.micro_instruction import ends_of, step_layout
from hw.gateware.primitives.skid_buffer import SkidBuffer
from tests.formal.proof import earlier, state

pytestmark = pytest.mark.formal

FORMAT = StepFormat(rows=4, weight_bits=8, group_bits=2, run_ahead=True)
"""Wider than one part, and with ends of rows."""


class Skid(Elaboratable):
    """Beside the block a queue of two steps that moves by the handshakes alone."""

    def __init__(self, block=SkidBuffer, step=FORMAT):
        self.dut = block(step, full=2)
        self.inputs = [self.dut.i.valid, self.dut.i.payload.as_value(), self.dut.clear, self.dut.ends.ready]

    def elaborate(self, platform):
        m = Module()
        dut, step = self.dut, self.dut.format
        m.submodules.dut, held = state(dut)
        came = dut.i.payload.as_value()
        taken_in, taken_out = dut.i.valid & dut.i.ready, dut.ends.valid & dut.ends.ready
        count, queue = Signal(2), [Signal(len(came), name=f"queue_{i}", reset_less=True) for i in range(2)]
        kept = Signal(2)
        m.d.comb += kept.eq(count - taken_out)
        m.d.sync += count.eq(Mux(dut.clear, 0, kept + taken_in))
        with m.If(taken_out):
            m.d.sync += queue[0].eq(queue[1])
        with m.If(taken_in):
            m.d.sync += [queue[1].eq(came)]
            with m.If(kept == 0):
                m.d.sync += queue[0].eq(came)

        def ends(whole):
            return ends_of(step, step_layout(step)(whole))

        m.d.comb += [
            Assert(count <= 2),
            Assert(dut.ends.valid == (count != 0)),
            Assert(dut.i.ready == (count != 2)),
        ]
        with m.If(count != 0):
            m.d.comb += [
                Assert(dut.ends.payload.as_value() == ends(queue[0])),
                Assert(held["ends_held"] == ends(queue[0])),
            ]
        with m.If(count == 2):
            m.d.comb += Assert(held["ends_aside"] == ends(queue[1]))

        # All but the ends does the same a clock later.
        before = earlier(m, count, name="count_before")
        first, second = (earlier(m, queue[i], name=f"queue_{i}_before") for i in range(2))
        flags = {"skid": earlier(m, held["skid"], name="skid_before")}
        flags["moves"] = earlier(m, ~dut.ends.valid | dut.ends.ready, name="moves_before")
        m.d.comb += Assert(held["arrived_1"] == earlier(m, came, name="came_before"))
        for low in range(0, len(came), MAX_FANOUT):
            part, name = slice(low, low + MAX_FANOUT), f"part_{low // MAX_FANOUT}"
            m.d.comb += [Assert(held[f"{name}_{flag}"] == wanted) for flag, wanted in flags.items()]
            with m.If(before != 0):
                m.d.comb += Assert(held[f"{name}_held"] == first[part])
            with m.If(before == 2):
                m.d.comb += Assert(held[f"{name}_aside"] == second[part])
        m.d.comb += Assert(held["skid"] == (count == 2))
        # Its replicas are not reset.
        with m.If(~earlier(m, ResetSignal(), name="was_reset")):
            m.d.comb += Assert(dut.full == (count == 2).replicate(2))
        with m.If(earlier(m, taken_out, name="took")):
            m.d.comb += Assert(dut.step.as_value() == first)
        return m


def test_steps_leave_as_they_came(proven):
    proven(Skid(), depth=3)


def test_a_lost_step_is_found(refuted, planted):
    lost = planted(skid_buffer, SkidBuffer, "next_skid.eq(1)", "next_skid.eq(0)")
    refuted(Skid(lost), depth=6)


def test_a_doubled_step_is_found(refuted, planted):
    doubled = planted(skid_buffer, SkidBuffer, "i.ready.eq(~skid)", "i.ready.eq(1)")
    refuted(Skid(doubled), depth=6)


def test_a_replica_that_says_something_else_is_found(refuted, planted):
    early = planted(skid_buffer, SkidBuffer, "replicas(m, next_skid,", "replicas(m, self.i.valid,")
    refuted(Skid(early), depth=6)


def test_a_part_that_goes_its_own_way_is_found(refuted, planted):
    late = planted(
        skid_buffer,
        SkidBuffer,
        "arrived = delay(m, self.i.payload.as_value(), 1,",
        "arrived = delay(m, self.i.payload.as_value(), 2,",
    )
    refuted(Skid(late), depth=6)
