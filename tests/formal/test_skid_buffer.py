"""The skid buffer between weight memory and array: steps leave as they came, whatever stalls."""

import pytest
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, ResetSignal, Signal

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
    """A memory with an output register in front, and beside the block a queue of three steps that moves by
    the handshakes alone."""

    def __init__(self, block=SkidBuffer, step=FORMAT):
        self.dut = block(step, full=2)
        self.read = Signal(len(self.dut.i.payload.as_value()))
        self.inputs = [self.dut.i.valid, self.read, self.dut.clear, self.dut.ends.ready]

    def elaborate(self, platform):
        m = Module()
        dut, step = self.dut, self.dut.format
        m.submodules.dut, held = state(dut)
        came = self.read
        out = Signal(len(came), name="output_register", reset_less=True)
        with m.If(~dut.full[0]):
            m.d.sync += out.eq(came)
        m.d.comb += dut.i.payload.as_value().eq(out)
        taken_in, taken_out = dut.i.valid & dut.i.ready, dut.ends.valid & dut.ends.ready
        count, queue = Signal(2), [Signal(len(came), name=f"queue_{i}", reset_less=True) for i in range(3)]
        kept = Signal(2)
        m.d.comb += kept.eq(count - taken_out)
        m.d.sync += count.eq(Mux(dut.clear, 0, kept + taken_in))
        with m.If(taken_out):
            m.d.sync += [queue[i].eq(queue[i + 1]) for i in range(2)]
        with m.If(taken_in):
            for i in range(3):
                with m.If(kept == i):
                    m.d.sync += queue[i].eq(came)

        def ends(whole):
            return ends_of(step, step_layout(step)(whole))

        # From the oldest: the step whose ends are offered, the one put aside, the one in the output register.
        offered, aside, waits = dut.ends.valid, held["skid"], held["out"]
        was_reset = earlier(m, ResetSignal(), name="was_reset")
        m.d.comb += [
            Assume(~was_reset | ~dut.i.valid),  # replicas are not reset
            Assert(count == offered + aside + waits),
            Assert(~aside | offered),
            Assert(dut.i.ready == (count != 3)),
            Assert(held["both"] == (count == 3)),
        ]
        with m.If(offered):
            m.d.comb += [
                Assert(dut.ends.payload.as_value() == ends(queue[0])),
                Assert(held["ends_held"] == ends(queue[0])),
            ]
        with m.If(aside):
            m.d.comb += Assert(held["ends_aside"] == ends(queue[1]))
        with m.If(waits):
            m.d.comb += Assert(out == Mux(aside, queue[2], Mux(offered, queue[1], queue[0])))

        # All but the ends does the same a clock later.
        first, second = (earlier(m, queue[i], name=f"queue_{i}_before") for i in range(2))
        flags = {"skid": earlier(m, aside, name="skid_before")}
        flags["moves"] = earlier(m, ~offered | dut.ends.ready, name="moves_before")
        offered_before = earlier(m, offered, name="offered_before")
        m.d.comb += Assert(held["arrived_1"] == earlier(m, out, name="out_before"))
        for low in range(0, len(came), MAX_FANOUT):
            part, name = slice(low, low + MAX_FANOUT), f"part_{low // MAX_FANOUT}"
            m.d.comb += [Assert(held[f"{name}_{flag}"] == wanted) for flag, wanted in flags.items()]
            with m.If(offered_before):
                m.d.comb += Assert(held[f"{name}_held"] == first[part])
            with m.If(flags["skid"]):
                m.d.comb += Assert(held[f"{name}_aside"] == second[part])
        with m.If(~was_reset):
            m.d.comb += Assert(dut.full == (count == 3).replicate(2))
        with m.If(earlier(m, taken_out, name="took")):
            m.d.comb += Assert(dut.step.as_value() == first)
        return m


def test_steps_leave_as_they_came(proven):
    proven(Skid(), depth=3)


def test_a_lost_step_is_found(refuted, planted):
    lost = planted(skid_buffer, SkidBuffer, "next_skid.eq(1)", "next_skid.eq(0)")
    refuted(Skid(lost), depth=6)


def test_a_doubled_step_is_found(refuted, planted):
    doubled = planted(skid_buffer, SkidBuffer, "i.ready.eq(~both)", "i.ready.eq(1)")
    refuted(Skid(doubled), depth=6)


def test_a_replica_that_says_something_else_is_found(refuted, planted):
    early = planted(skid_buffer, SkidBuffer, "replicas(m, next_both,", "replicas(m, self.i.valid,")
    refuted(Skid(early), depth=6)


def test_a_part_that_goes_its_own_way_is_found(refuted, planted):
    late = planted(
        skid_buffer,
        SkidBuffer,
        "arrived = delay(m, self.i.payload.as_value(), 1,",
        "arrived = delay(m, self.i.payload.as_value(), 2,",
    )
    refuted(Skid(late), depth=6)
