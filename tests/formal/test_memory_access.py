"""Bursts of the bridge at memory: as AXI4 demands, whatever becomes of the request, and through resets."""

import pytest
from amaranth.hdl import Assert, Assume, C, Elaboratable, Module, Mux, Signal

from hw.gateware.ports.axi import AxiMemory
from hw.gateware.serial import memory_access
from hw.gateware.serial.framing import HEADER
from hw.gateware.serial.memory_access import MemoryAccess
from hw.gateware.serial.requests import Exchange
from hw.host_interface.protocol import MEMORY_PAGE, Command
from tests.formal.proof import earlier, offer_stays

pytestmark = pytest.mark.formal

PATIENCE = 5


class Bursts(Elaboratable):
    """A bridge that loads and stores at its leisure, and a memory that answers what it has been asked.

    Memory is not reset with the bridge.
    """

    def __init__(self, block=MemoryAccess):
        self.block = block
        self.bus = bus = AxiMemory(40, 32).create()
        self.header, self.fresh, self.go = Signal(HEADER), Signal(48), Signal()
        self.inputs = [self.header.as_value(), self.fresh, self.go]
        self.inputs += [bus.awready, bus.wready, bus.bvalid, bus.bresp, bus.arready, bus.rvalid, bus.rresp]

    def elaborate(self, platform):
        m = Module()
        exchange = Exchange(m, self.header, 4, list(Command))
        access = self.block(m, exchange, self.bus)
        with m.FSM(init="IDLE", name="state") as states:
            access.states(m, PATIENCE)
            with m.State("IDLE"):
                m.d.sync += [exchange.bytes.eq(self.fresh), access.loading.eq(0)]
                with m.If(self.go):
                    m.next = "BEGIN"
            with m.State("BEGIN"):
                m.next = "COMPARE"
            with m.State("LOAD"):
                m.d.sync += exchange.bytes.eq(self.fresh)
                with m.If(self.go):
                    m.next = "GIVE"
            with m.State("STORE"):
                with m.If(self.go):
                    access.next_word(m)
            with m.State("ANSWER"):
                with m.If(self.go):
                    m.next = "IDLE"
        header = self.header.as_value()
        before = earlier(m, header, name="header_before")
        with m.If(~states.ongoing("IDLE")):
            m.d.comb += Assume(header == before)
        self._states(m, access, exchange, states)
        self._bus(m, access)
        return m

    def _states(self, m, access, exchange, states):
        """While a request waits for its burst, the burst is its own."""
        waits = access.pending & ~access.abandoned
        for state in ("LOAD", "GIVE"):
            with m.If(states.ongoing(state)):
                m.d.comb += Assert(waits & ~access.reading & access.unsent)
        with m.If(states.ongoing("FETCH")):
            m.d.comb += Assert(waits & access.reading & access.r_ready)
        with m.If(states.ongoing("STORE")):
            m.d.comb += Assert(~access.abandoned & (access.pending == ~exchange.stop))
            m.d.comb += Assert(access.reading & ~access.r_ready)
        with m.If(states.ongoing("END")):
            m.d.comb += Assert(~access.abandoned & ~access.unsent & ~(access.reading & access.pending))

    def _bus(self, m, access):
        bus = self.bus
        for channel in ("aw", "ar"):
            valid, ready, address, length = (
                getattr(bus, channel + name) for name in ("valid", "ready", "addr", "len")
            )
            offer_stays(m, valid, ready, address, length, reset=C(0), name=channel)
            with m.If(valid):
                m.d.comb += Assert(address[:12] + 4 * (length + 1) <= MEMORY_PAGE)
                m.d.comb += Assert(address[:6] == 0)
        offer_stays(m, bus.wvalid, bus.wready, bus.wdata, bus.wstrb, bus.wlast, reset=C(0), name="w")
        # Beats that memory has taken of this burst, or given.
        total = Signal(9)
        asked, moved = Signal(reset_less=True, name="asked"), Signal(9, reset_less=True, name="moved")
        m.d.comb += total.eq(bus.awlen + 1)
        w_taken, r_given = bus.wvalid & bus.wready, bus.rvalid & bus.rready
        b_given = bus.bvalid & bus.bready
        over = b_given | (r_given & (moved + 1 == total))
        asks = (bus.awvalid & bus.awready) | (bus.arvalid & bus.arready)
        m.d.sync += [
            asked.eq(~over & (asked | asks)),
            moved.eq(Mux(over, 0, moved + (w_taken | r_given))),
        ]
        m.d.comb += [
            Assume(~bus.bvalid | (asked & ~access.reading & (moved == total))),
            Assume(~bus.rvalid | (asked & access.reading)),
        ]
        idle = ~access.pending
        with m.If(idle):
            m.d.comb += [
                Assert(~(bus.awvalid | bus.wvalid | bus.arvalid | bus.rready)),
                Assert(~access.unsent & access.left.all() & ~asked & (moved == 0)),
            ]
        offered = Signal(9)
        with m.If(access.pending & ~access.reading):
            m.d.comb += [
                offered.eq(moved + bus.wvalid),
                Assert(~bus.arvalid & ~bus.rready & (bus.awvalid ^ asked)),
                Assert(offered <= total),
                Assert(access.unsent == (offered != total)),
                Assert(access.left == (total - 1 - offered)[:8]),
            ]
        with m.If(bus.wvalid):
            m.d.comb += Assert(bus.wlast == (moved + 1 == total))
        with m.If(access.pending & access.reading):
            m.d.comb += [
                Assert(~bus.awvalid & ~bus.wvalid & ~access.unsent & (bus.arvalid ^ asked)),
                Assert(moved < total),
                Assert(access.left == (total - 1 - moved)[:8]),
            ]
        # Where a beat is offered or taken next, ``final`` is that of now.
        offers = access.unsent & ~access.w_valid
        takes = access.reading & access.r_ready & asked
        with m.If(access.pending & (offers | takes)):
            m.d.comb += Assert(access.final == (access.left == 0))


def test_bursts_are_whole_whatever_becomes_of_their_request(proven):
    proven(Bursts(), depth=5)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        # A reset changes what is offered, forgets beats that are owed, or finds the count of no burst.
        ('name="burst_word", reset_less=True', 'name="burst_word"'),
        ("self.unsent = Signal(reset_less=True)", "self.unsent = Signal()"),
        ("init=-1, ", ""),
        ("with m.Elif(self.pending):", "with m.Elif(self.pending & ~self.abandoned):"),
        ("with m.If(~self.fits):", "with m.If(self.more_units[MORE_BITS:].any()):"),
    ],
)
def test_a_planted_fault_is_found(refuted, planted, good, bad):
    refuted(Bursts(planted(memory_access, MemoryAccess, good, bad)), depth=12)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("self.w_last.eq(self.final)", "self.w_last.eq(self.left == 1)"),
        ("self.unsent.eq(~self.final)", "self.unsent.eq(1)"),
    ],
)
def test_a_fault_at_the_end_of_a_burst_is_found(refuted, planted, good, bad):
    """Sixteen beats from time 0, which is too far: the induction that the sound block passes fails."""
    refuted(Bursts(planted(memory_access, MemoryAccess, good, bad)), depth=5, anywhere=True)
