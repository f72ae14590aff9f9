"""The guard of the control port: one answer for every access, and at once where the core goes away."""

import pytest
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, ResetSignal, Signal

from hw.gateware.pcie import register_guard
from hw.gateware.pcie.register_guard import RegisterGuard
from hw.gateware.ports.axi import Response
from tests.formal.proof import earlier, offer_stays, state

pytestmark = pytest.mark.formal

TAKE, WAIT, ANSWER = range(3)
"""States of either direction, in the order in which they are written."""


class Guard(Elaboratable):
    """Any host; a core that answers nothing but what it has taken, and goes away at any time."""

    def __init__(self, block=RegisterGuard):
        self.dut = dut = block(4)
        host, core = dut.host, dut.core
        self.inputs = [
            *(host.awaddr, host.awprot, host.awvalid, host.wdata, host.wstrb, host.wvalid, host.bready),
            *(host.araddr, host.arprot, host.arvalid, host.rready, dut.away),
            *(core.awready, core.wready, core.bvalid, core.bresp.as_value()),
            *(core.arready, core.rvalid, core.rdata, core.rresp.as_value()),
        ]

    def elaborate(self, platform):
        m = Module()
        dut, reset = self.dut, ResetSignal()
        m.submodules.dut, held = state(dut)
        host, core = dut.host, dut.core
        offer_stays(m, host.rvalid, host.rready, host.rdata, host.rresp, reset=reset, name="r")
        offer_stays(m, host.bvalid, host.bready, host.bresp, reset=reset, name="b")
        away = reset | dut.away
        offer_stays(m, core.arvalid, core.arready, core.araddr, core.arprot, reset=away, name="ar")
        offer_stays(m, core.awvalid, core.awready, core.awaddr, core.awprot, reset=away, name="aw")
        offer_stays(m, core.wvalid, core.wready, core.wdata, core.wstrb, reset=away, name="w")
        self._reads(m, held)
        self._writes(m, held)
        return m

    def _reads(self, m, held):
        host, core = self.dut.host, self.dut.core
        asked, there = Signal(), Signal()  # of the host; of the core, which has taken it
        m.d.sync += [
            asked.eq(Mux(host.arvalid & host.arready, 1, asked & ~(host.rvalid & host.rready))),
            there.eq((there | (core.arvalid & core.arready)) & ~core.rvalid & ~self.dut.away),
        ]
        m.d.comb += Assume(~core.rvalid | there | (core.arvalid & core.arready))
        waiting = asked & ~host.rvalid
        m.d.comb += [
            Assert(host.arready == ~asked, "a read is taken before the one at hand is answered"),
            Assert(~host.rvalid | asked, "an answer that nobody waits for"),
            Assert(~(there | core.arvalid) | waiting, "the core is asked for what has been answered"),
            Assert(~waiting | (there ^ core.arvalid), "the core is asked once"),
            Assert(held["read_state"] == Mux(host.rvalid, ANSWER, Mux(waiting, WAIT, TAKE))),
        ]
        self._over(m, waiting, core.rvalid, host.rvalid, host.rresp, core.rresp, "read")
        before = earlier(m, core.rdata, name="rdata_before")
        with m.If(earlier(m, waiting & core.rvalid & ~ResetSignal(), name="read_came")):
            m.d.comb += Assert(host.rdata == before)
        with m.If(earlier(m, waiting & ~core.rvalid & self.dut.away & ~ResetSignal(), name="read_gone")):
            m.d.comb += Assert(host.rdata.all())

    def _writes(self, m, held):
        host, core = self.dut.host, self.dut.core
        address, data, address_there, data_there = (
            Signal(name=name) for name in ("address_asked", "data_asked", "address_there", "data_there")
        )
        over, gone = host.bvalid & host.bready, core.bvalid | self.dut.away
        m.d.sync += [
            address.eq(Mux(host.awvalid & host.awready, 1, address & ~over)),
            data.eq(Mux(host.wvalid & host.wready, 1, data & ~over)),
            address_there.eq((address_there | (core.awvalid & core.awready)) & ~gone),
            data_there.eq((data_there | (core.wvalid & core.wready)) & ~gone),
        ]
        whole = (address_there | (core.awvalid & core.awready)) & (data_there | (core.wvalid & core.wready))
        m.d.comb += Assume(~core.bvalid | whole)
        begun = core.awvalid | core.wvalid | address_there | data_there
        m.d.comb += [
            Assert(~(host.awready & address) & ~(host.wready & data), "a write is taken twice"),
            Assert(~host.bvalid | (address & data), "an answer that nobody waits for"),
            Assert(~begun | (address & data & ~host.bvalid), "the core is asked for what has been answered"),
            Assert(~begun | ((core.awvalid ^ address_there) & (core.wvalid ^ data_there)), "once"),
            Assert(held["write_state"] == Mux(host.bvalid, ANSWER, Mux(begun, WAIT, TAKE))),
            Assert(address == held["have_address"]),
            Assert(data == held["have_data"]),
            Assert(host.awready | host.wready | begun | host.bvalid | (address & data)),
        ]
        self._over(m, begun, core.bvalid, host.bvalid, host.bresp, core.bresp, "write")
        begins = earlier(m, address & data & ~begun & ~host.bvalid & ~ResetSignal(), name="begins")
        with m.If(begins):
            m.d.comb += Assert(begun, "what is whole is begun in the next clock")

    def _over(self, m, waiting, came, valid, response, given, name):
        """It ends in the clock behind the core's answer, or behind its going away."""
        with m.If(earlier(m, waiting & (came | self.dut.away) & ~ResetSignal(), name=f"{name}_ends")):
            m.d.comb += Assert(valid)
        before = earlier(m, given.as_value(), name=f"{name}_response_before")
        with m.If(earlier(m, waiting & came & ~ResetSignal(), name=f"{name}_came_before")):
            m.d.comb += Assert(response.as_value() == before)
        with m.If(earlier(m, waiting & ~came & self.dut.away & ~ResetSignal(), name=f"{name}_gone_before")):
            m.d.comb += Assert(response == Response.SLVERR)


def test_the_guard(proven):
    proven(Guard(), depth=3)


def test_an_access_that_is_left_waiting_is_found(refuted, planted):
    left = planted(
        register_guard, RegisterGuard, "with m.If(core.rvalid | self.away):", "with m.If(core.rvalid):"
    )
    refuted(Guard(left), depth=8)


def test_an_answer_that_is_withdrawn_is_found(refuted, planted):
    gone = planted(register_guard, RegisterGuard, "with m.If(host.bready):", "with m.If(1):")
    refuted(Guard(gone), depth=10)


def test_a_write_that_stays_with_the_core_is_found(refuted, planted):
    stays = planted(
        register_guard,
        RegisterGuard,
        "core.awvalid.eq(0),\n                        core.wvalid.eq(0),",
        "core.awvalid.eq(0),",
    )
    refuted(Guard(stays), depth=10)
