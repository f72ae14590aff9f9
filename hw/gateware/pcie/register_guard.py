"""Answers for a control port that is away: every access ends, whatever is reset in the middle of it.

While the streams are emptied (:mod:`hw.gateware.pcie.stream_sync`) the accelerator is in reset. It takes no
address then, and forgets one that it has taken; whoever waits for the answer waits for ever, and so does
every access to any register of the board behind it. Here such an access gets an error, with ones for data, as
the host sees what is not there.
"""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.ports.axi import AxiLite, Response
from hw.host_interface.registers import ADDRESS_BITS

MODULE = "spec2_guard"
"""Name of the Verilog module."""


class RegisterGuard(wiring.Component):
    """Sits in the control port, AXI4-Lite, between ``host`` and ``core``.

    away: the core is in reset in this clock, or will be in the next one. What is under way then is answered
    with SLVERR, unless its answer comes in this very clock; a write may have been carried out.

    One access at a time and direction. Address and data of a write are taken in any order. A write takes
    three clocks more than of the core alone, a read two. What is offered stays until it is taken, on both
    sides, but for what the core is offered when it goes away.
    """

    def __init__(self, address_bits: int = ADDRESS_BITS) -> None:
        super().__init__(
            {"host": In(AxiLite(address_bits)), "core": Out(AxiLite(address_bits)), "away": In(1)}
        )

    @property
    def ports(self) -> list[Signal]:
        """Ports of the module, but for clock and reset: those of each side as ``host__awaddr``."""
        return [Value.cast(value) for _, _, value in self.signature.flatten(self)]

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        self._write(m)
        self._read(m)
        return m

    def _write(self, m: Module) -> None:
        host, core = self.host, self.core
        address = Signal(name="have_address")  # taken from the host
        data = Signal(name="have_data")
        with m.If(host.awvalid & host.awready):
            m.d.sync += [core.awaddr.eq(host.awaddr), core.awprot.eq(host.awprot), address.eq(1)]
        with m.If(host.wvalid & host.wready):
            m.d.sync += [core.wdata.eq(host.wdata), core.wstrb.eq(host.wstrb), data.eq(1)]
        with m.FSM(name="write"):
            with m.State("TAKE"):
                m.d.comb += [host.awready.eq(~address), host.wready.eq(~data)]
                with m.If(address & data):
                    m.d.sync += [core.awvalid.eq(1), core.wvalid.eq(1)]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += core.bready.eq(1)
                m.d.sync += [
                    core.awvalid.eq(core.awvalid & ~core.awready),
                    core.wvalid.eq(core.wvalid & ~core.wready),
                ]
                with m.If(core.bvalid | self.away):
                    m.d.sync += [
                        core.awvalid.eq(0),
                        core.wvalid.eq(0),
                        host.bvalid.eq(1),
                        host.bresp.eq(Response.SLVERR),
                    ]
                    with m.If(core.bvalid):
                        m.d.sync += host.bresp.eq(core.bresp)
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(host.bready):
                    m.d.sync += [host.bvalid.eq(0), address.eq(0), data.eq(0)]
                    m.next = "TAKE"

    def _read(self, m: Module) -> None:
        host, core = self.host, self.core
        with m.FSM(name="read"):
            with m.State("TAKE"):
                m.d.comb += host.arready.eq(1)
                with m.If(host.arvalid):
                    m.d.sync += [
                        core.araddr.eq(host.araddr),
                        core.arprot.eq(host.arprot),
                        core.arvalid.eq(1),
                    ]
                    m.next = "WAIT"
            with m.State("WAIT"):
                m.d.comb += core.rready.eq(1)
                m.d.sync += core.arvalid.eq(core.arvalid & ~core.arready)
                with m.If(core.rvalid | self.away):
                    m.d.sync += [core.arvalid.eq(0), host.rvalid.eq(1)]
                    m.d.sync += [host.rdata.eq(-1), host.rresp.eq(Response.SLVERR)]
                    with m.If(core.rvalid):
                        m.d.sync += [host.rdata.eq(core.rdata), host.rresp.eq(core.rresp)]
                    m.next = "ANSWER"
            with m.State("ANSWER"):
                with m.If(host.rready):
                    m.d.sync += host.rvalid.eq(0)
                    m.next = "TAKE"
