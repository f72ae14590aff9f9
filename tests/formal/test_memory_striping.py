"""Memory striping: every memory is asked once for a burst, no beat is lost, doubled or out of turn."""

import pytest
from amaranth.hdl import Assert, Assume, C, Cat, Elaboratable, Module, ResetSignal, Signal

from hw.gateware.weights import memory_striping
from hw.gateware.weights.memory_striping import MemoryStriping
from tests.formal.proof import offer_stays, state

pytestmark = pytest.mark.formal

BITS = 4
"""Of each memory's part of a beat: the number of the beat, which is enough to tell beats apart."""


class Striping(Elaboratable):
    """A reader that keeps AXI's promises, memories that do as they like but for the beats' numbers."""

    def __init__(self, count, block=MemoryStriping):
        self.count = count
        self.dut = block(12, BITS * count, count)
        wide = self.dut.wide
        self.inputs = [
            wide.araddr,
            wide.arlen,
            wide.arsize,
            wide.arburst,
            wide.arid,
            wide.arvalid,
            wide.rready,
        ]
        self.inputs += [self.dut.generation, self.dut.settled]
        for port in self.dut.memories:
            self.inputs += [port.arready, port.rvalid, port.rid, port.rdata, port.rresp]

    def elaborate(self, platform):
        m = Module()
        wide, reset = self.dut.wide, ResetSignal()
        m.submodules.dut, held = state(self.dut)
        self._addresses(m, wide, held["addressed"])
        self._beats(m, wide, reset)
        return m

    def _addresses(self, m, wide, addressed):
        """Addresses stay until they are taken, through resets too."""
        address = [wide.araddr, wide.arlen, wide.arsize, wide.arburst, wide.arid]
        offer_stays(m, wide.arvalid, wide.arready, *address, reset=C(0), name="wide", promise=Assume)
        for i, port in enumerate(self.dut.memories):
            address = [port.araddr, port.arlen, port.arsize, port.arburst, port.arid]
            offer_stays(m, port.arvalid, port.arready, *address, reset=C(0), name=f"memory_{i}")
            # Bursts that this memory has taken and the reader's port has not yet passed.
            ahead = Signal(2, name=f"ahead_{i}", reset_less=True)
            m.d.sync += ahead.eq(ahead + (port.arvalid & port.arready) - (wide.arvalid & wide.arready))
            part = wide.araddr >> self.count.bit_length() - 1
            m.d.comb += [
                Assert(ahead == addressed[i]),
                Assert(port.araddr == part),
                Assert(port.arid == wide.arid),
            ]
        with m.If(addressed.any()):
            m.d.comb += [Assert(wide.arvalid), Assert(~addressed.all())]

    def _beats(self, m, wide, reset):
        """Since the last reset; what was asked for before comes as it likes, under another number."""
        # As :mod:`hw.gateware.weights.generation` says it: in all clocks but the first one after a reset.
        after_reset = Signal(init=1, reset_less=True)
        m.d.sync += after_reset.eq(reset)
        m.d.comb += Assume(self.dut.settled == ~after_reset)
        given = Signal(BITS)
        m.d.sync += given.eq(given + (wide.rvalid & wide.rready))
        for i, port in enumerate(self.dut.memories):
            came = Signal(BITS, name=f"came_{i}")
            ours = port.rvalid & self.dut.settled & (port.rid == self.dut.generation)
            m.d.sync += came.eq(came + (ours & port.rready))
            wrong = (came == i + 1) & (i < 2)
            m.d.comb += [
                Assume(~ours | (port.rdata == came)),
                Assume(~ours | ((port.rresp != 0) == wrong)),
            ]
        with m.If(wide.rvalid):
            m.d.comb += [
                Assert(wide.rdata == Cat(given for _ in range(self.count))),
                Assert((wide.rresp != 0) == ((given == 1) | (given == 2))),
            ]
        offer_stays(m, wide.rvalid, wide.rready, wide.rdata, wide.rresp, reset=reset, name="beat")


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_bursts_and_beats(proven, count):
    proven(Striping(count), depth=8, bounded=True)


def test_a_burst_that_is_asked_for_twice_is_found(refuted, planted):
    twice = planted(memory_striping, MemoryStriping, "wide.arvalid & ~addressed[i]", "wide.arvalid")
    refuted(Striping(2, twice), depth=8)


def test_a_beat_that_does_not_wait_for_its_parts_is_found(refuted, planted):
    early = planted(
        memory_striping, MemoryStriping, "for queue in queues).all()", "for queue in queues).any()"
    )
    refuted(Striping(2, early), depth=8)


def test_a_beat_that_is_lost_in_a_stall_is_found(refuted, planted):
    lost = planted(
        memory_striping,
        MemoryStriping,
        "queue.r_en.eq(wide.rvalid & wide.rready)",
        "queue.r_en.eq(wide.rvalid)",
    )
    refuted(Striping(2, lost), depth=8)


def test_an_error_that_is_kept_back_is_found(refuted, planted):
    silent = planted(
        memory_striping,
        MemoryStriping,
        "for queue in queues:\n            with",
        "for queue in queues[1:]:\n            with",
    )
    refuted(Striping(2, silent), depth=10)


def test_a_part_of_before_a_reset_is_found(refuted, planted):
    old = planted(memory_striping, MemoryStriping, " & (port.rid == self.generation)", "")
    refuted(Striping(2, old), depth=8)
