"""The burst reader: sound bursts whatever it is told, and no beat taken for one of another run."""

import pytest
from amaranth.hdl import Assert, Assume, C, Elaboratable, Module, Mux, ResetSignal, Signal

from hw.gateware.weights import burst_reader
from hw.gateware.weights.burst_reader import OUTSTANDING, BurstReader
from tests.formal.proof import earlier, offer_stays, state
from tests.hw.gateware.streamed import NARROW, WIDE, program

pytestmark = pytest.mark.formal

PAGE_BITS = 12


class Reading(Elaboratable):
    """A core that starts and flushes at any time, a memory that delivers what it owes when it likes.

    Memory may owe beats of before a reset; what it delivers of them has another identifier.
    """

    def __init__(self, plan, block=BurstReader):
        self.plan = plan
        self.dut = dut = block(plan)
        memory = dut.memory
        self.inputs = [dut.start, dut.first, dut.last, dut.base, dut.flush, dut.credit]
        self.inputs += [memory.arready, memory.rvalid, memory.rid, memory.rresp]

    def elaborate(self, platform):
        m = Module()
        dut, plan, memory, reset = self.dut, self.plan, self.dut.memory, ResetSignal()
        m.submodules.dut, held = state(dut)
        m.d.comb += [Assume(dut.base[:PAGE_BITS] == 0), Assume(dut.first <= dut.last)]
        m.d.comb += Assume(dut.last < len(plan.layer_steps))
        # What is to be read stays as it is as long as it is being read.
        reading = held["waiting"] | (held["fsm_state"] != 0)
        before = [earlier(m, port, name=f"{port.name}_before") for port in (dut.first, dut.last)]
        with m.If(reading):
            m.d.comb += [Assume(dut.first == before[0]), Assume(dut.last == before[1])]
        self._bursts(m, memory, held)
        self._owed(m, memory, held, reset)
        return m

    def _bursts(self, m, memory, held):
        """Addresses stay until they are taken, through resets too; no burst crosses 4 KiB."""
        size = self.plan.bus_bits // 8
        whole = (self.plan.burst_beats * size).bit_length() - 1
        assert 1 << whole == self.plan.burst_beats * size <= 1 << PAGE_BITS
        address = [memory.araddr, memory.arlen, memory.arsize, memory.arburst, memory.arid]
        offer_stays(m, memory.arvalid, memory.arready, *address, reset=C(0), name="address")
        with m.If(memory.arvalid):
            end = memory.araddr[:PAGE_BITS] + (memory.arlen + 1) * size
            m.d.comb += [
                Assert(end <= 1 << PAGE_BITS),
                Assert(memory.araddr[:whole] == 0),
                Assert(memory.arlen < self.plan.burst_beats),
                Assert(1 << memory.arsize == size),
                Assert(memory.arburst == 1),
            ]
        # What the registers mean, from a layer's first burst on.
        requesting = held["fsm_state"] == 2
        assert held["fsm_state"].decoder(2) == "REQUEST/2"
        asks = requesting & ~held["offering"] & ~self.dut.flush & held["few"]
        with m.If(requesting):
            m.d.comb += [
                Assert(held["address"][:whole] == 0),
                Assert(held["last_beats"] <= self.plan.burst_beats),
                Assert(held["last_beats"] >= 1),
                Assert(held["last_layer"] == (held["layer"] == self.dut.last)),
            ]
        with m.If(held["fsm_state"] != 0):
            m.d.comb += Assert(held["layer"] <= self.dut.last)
        m.d.comb += [
            Assert(memory.rready),
            # Of the table nobody is told; of steps, with credit.
            Assert(self.dut.requested == (asks & self.dut.credit & ~held["of_table"])),
            Assert(held["fsm_state"] < 4),
            # A beat is of the table or of steps.
            Assert(self.dut.valid == (self.dut.channels | self.dut.weights)),
            Assert(~(self.dut.channels & self.dut.weights)),
            Assert(~held["of_steps"] | held["received"]),
        ]

    def _owed(self, m, memory, held, reset):
        """Beats on their way since the last reset, and how many of them are of runs that were flushed."""
        dut, owed, received = self.dut, held["owed"], held["received"]
        taken, of_before = Signal.like(owed, name="taken"), Signal.like(owed, name="of_before")
        stale = Signal(reset_less=True)  # the address on offer was requested before the last reset
        ours = memory.rvalid & dut.settled & (memory.rid == dut.generation)
        takes = memory.arvalid & memory.arready
        asks = (held["fsm_state"] == 2) & ~held["offering"] & ~dut.flush & held["few"]
        with m.If(reset & ((memory.arvalid & ~takes) | (asks & (dut.credit | held["of_table"])))):
            m.d.sync += stale.eq(1)
        with m.Elif(takes):
            m.d.sync += stale.eq(0)
        offered = Mux(memory.arvalid & ~stale, memory.arlen + 1, 0)
        m.d.sync += taken.eq(taken + Mux(takes & ~stale, memory.arlen + 1, 0) - ours)
        m.d.comb += [
            # Memory delivers what it has been asked for, and nothing that is sixteen resets old.
            Assume(~ours | (taken != 0)),
            Assume(~(memory.arvalid & stale & (memory.arid == dut.generation))),
            Assert(~stale | memory.arvalid),
            Assert(owed == taken + offered + received),
            Assert(owed <= OUTSTANDING * self.plan.burst_beats),
        ]
        with m.If(memory.arvalid & ~stale):
            m.d.comb += Assert(memory.arid == dut.generation)
        with m.If(dut.flush):
            m.d.sync += of_before.eq(owed - received)
        with m.Elif(received & (of_before != 0)):
            m.d.sync += of_before.eq(of_before - 1)
        m.d.comb += [
            Assert(of_before <= owed),
            Assert(~dut.valid | (of_before == 0)),
            Assert((of_before == 0) | held["dropping"]),
            Assert(~dut.error | dut.valid),
        ]
        idle = held["fsm_state"] == 0
        with m.If(held["dropping"]):
            m.d.comb += [Assert(idle), Assert(of_before == owed)]


@pytest.mark.parametrize("case", [{}, {"layer_bits": NARROW}, WIDE], ids=["plain", "narrow", "wide"])
def test_bursts_are_sound_and_none_is_of_another_run(proven, case):
    proven(Reading(program(**case).stream), depth=3)


def test_an_address_that_a_reset_withdraws_is_found(refuted, planted):
    gone = planted(
        burst_reader,
        BurstReader,
        "offering = Signal(reset_less=True)",
        "offering = Signal()",
    )
    refuted(Reading(program().stream, gone), depth=10)


def test_a_beat_of_before_a_reset_is_found(refuted, planted):
    mixed = planted(burst_reader, BurstReader, " & (memory.rid == of_reads.number)", "")
    refuted(Reading(program().stream, mixed), depth=12)


def test_a_beat_of_an_aborted_run_is_found(refuted, planted):
    mixed = planted(
        burst_reader,
        BurstReader,
        "self.valid.eq(received & ~dropping & ~self.flush)",
        "self.valid.eq(received & ~self.flush)",
    )
    refuted(Reading(program().stream, mixed), depth=12)


def test_more_bursts_than_are_counted_are_found(proven, refuted, planted):
    """So many bursts are far from the state at time 0: found by the step of induction."""
    many = planted(
        burst_reader, BurstReader, "few.eq(owed <= (OUTSTANDING - 1)", "few.eq(owed <= OUTSTANDING"
    )
    refuted(Reading(program().stream, many), depth=3, anywhere=True)
