"""Empties the streams between a host and the accelerator, provably.

Between host and accelerator lie buffers that no abort reaches: those of the PCI Express block, the width
and clock converters. A client that dies leaves images and results in them, and the next one would get answers
to questions it never asked. So a new client writes a random ``marker``: the accelerator is held in reset,
whatever comes in is dropped until the marker itself comes as the last beat of a frame, and is sent back as a
frame. Once the host has it, neither direction holds anything older. Then it writes 0, and all is as if
nothing were here. The host's side is in :mod:`bitstreams.links.xdma`.
"""

from __future__ import annotations

from typing import Any

from amaranth.back import verilog
from amaranth.hdl import Elaboratable, Module, Signal

MODULE = "spec2_sync"
"""Name of the Verilog module."""

BITS = 32
"""Width of the streams and of the marker."""


class Stream:
    """The signals of one AXI4-Stream."""

    def __init__(self, name: str) -> None:
        self.tdata = Signal(BITS, name=f"{name}_tdata")
        self.tvalid = Signal(name=f"{name}_tvalid")
        self.tready = Signal(name=f"{name}_tready")
        self.tlast = Signal(name=f"{name}_tlast")

    @property
    def signals(self) -> list[Signal]:
        """All of them."""
        return [self.tdata, self.tvalid, self.tready, self.tlast]

    def follow(self, other: Stream) -> list[Any]:
        """Assignments that pass ``other`` on."""
        return [
            self.tdata.eq(other.tdata),
            self.tlast.eq(other.tlast),
            self.tvalid.eq(other.tvalid),
            other.tready.eq(self.tready),
        ]


class Sync(Elaboratable):  # type: ignore[misc]
    """Sits in both streams, without a clock of latency.

    marker: 0 to pass, anything else to synchronise; constant until the marker is back.
    from_host, to_core; from_core, to_host: the streams. hold: reset of the accelerator.
    """

    def __init__(self) -> None:
        self.marker = Signal(BITS)
        self.hold = Signal()
        self.from_host, self.to_core = Stream("from_host"), Stream("to_core")
        self.from_core, self.to_host = Stream("from_core"), Stream("to_host")

    @property
    def ports(self) -> list[Signal]:
        """Ports of the module, but for clock and reset."""
        streams = (self.from_host, self.to_core, self.from_core, self.to_host)
        return [self.marker, self.hold, *(signal for stream in streams for signal in stream.signals)]

    def elaborate(self, platform: Any) -> Module:
        """A path that passes, and a state machine of two bits that does not."""
        m = Module()
        found, returned = Signal(), Signal()
        active = self.marker != 0
        m.d.sync += self.hold.eq(active)
        with m.If(active | self.hold):
            # Drop until the marker comes; what is behind it stays outside.
            m.d.comb += self.from_host.tready.eq(~found & active)
            taken = self.from_host.tvalid & self.from_host.tready
            with m.If(taken & self.from_host.tlast & (self.from_host.tdata == self.marker)):
                m.d.sync += found.eq(1)
            # Send it back once, whole.
            m.d.comb += [
                self.to_host.tdata.eq(self.marker),
                self.to_host.tlast.eq(1),
                self.to_host.tvalid.eq(found & ~returned),
            ]
            with m.If(self.to_host.tvalid & self.to_host.tready):
                m.d.sync += returned.eq(1)
        with m.Else():
            m.d.comb += [*self.to_core.follow(self.from_host), *self.to_host.follow(self.from_core)]
            m.d.sync += [found.eq(0), returned.eq(0)]
        return m


def emit() -> str:
    """Verilog of :data:`MODULE`; the same bytes every time."""
    sync = Sync()
    return str(verilog.convert(sync, name=MODULE, ports=sync.ports, emit_src=False))
