"""The last register before the host: what is offered stays, and every frame that was begun gets its end."""

import pytest
from amaranth.hdl import Assert, Elaboratable, Module, Mux, ResetSignal, Signal, Value

from hw.gateware.ports import result_gate
from hw.gateware.ports.result_gate import ResultGate
from tests.formal.proof import earlier, offer_stays, state

pytestmark = pytest.mark.formal


class Gate(Elaboratable):
    """Results and aborts at any time, a host that takes beats when it likes."""

    def __init__(self, block=ResultGate):
        self.dut = dut = block()
        self.inputs = [dut.i.tdata, dut.i.tvalid, dut.i.tlast, dut.o.tready, dut.abort, dut.answer]

    def elaborate(self, platform):
        m = Module()
        dut, reset = self.dut, ResetSignal()
        i, o = dut.i, dut.o
        m.submodules.dut, held = state(dut)
        offer_stays(m, o.tvalid, o.tready, o.tdata, o.tlast, reset=reset, name="result")

        # The frame that the host has begun to take.
        inside, given = (Signal(name=name) for name in ("inside", "given"))
        m.d.sync += given.eq(i.tvalid & i.tready)
        with m.If(o.tvalid & o.tready):
            m.d.sync += inside.eq(~o.tlast)
        begun = Mux(o.tvalid, ~o.tlast, inside)  # whether it is open behind the beat on offer
        before = earlier(m, Value.cast(i.tdata), name="data_before"), earlier(m, i.tlast, name="last_before")
        with m.If(given):
            m.d.comb += [Assert(o.tvalid), Assert(o.tdata == before[0]), Assert(o.tlast == before[1])]
        with m.If(dut.leftover):
            m.d.comb += [
                Assert(~i.tready),
                Assert(~dut.held),
                Assert(held["closing"] | (o.tvalid & o.tlast)),
                Assert(~held["open_frame"]),
            ]
        with m.Else():
            m.d.comb += [
                Assert(begun == held["open_frame"]),
                Assert(~held["closing"]),
                Assert(dut.held == o.tvalid),
            ]
        # As soon as nothing is left over, the host is between two frames.
        with m.If(earlier(m, dut.leftover & ~reset, name="was_left") & ~dut.leftover):
            m.d.comb += [Assert(~inside), Assert(~o.tvalid)]
        return m


def test_offers_stay_and_frames_end(proven):
    proven(Gate(), depth=3)


def test_a_beat_that_an_abort_withdraws_is_found(refuted, planted):
    gone = planted(
        result_gate, ResultGate, "with m.If(self.o.tready):", "with m.If(self.o.tready | self.abort):"
    )
    refuted(Gate(gone), depth=8)


def test_a_frame_without_an_end_is_found(refuted, planted):
    endless = planted(result_gate, ResultGate, "next_closing.eq(1)", "next_closing.eq(closing)")
    refuted(Gate(endless), depth=8)


def test_a_result_between_the_beats_of_two_runs_is_found(refuted, planted):
    early = planted(result_gate, ResultGate, "free & ~self.leftover & ~self.abort", "free & ~self.abort")
    refuted(Gate(early), depth=8)
