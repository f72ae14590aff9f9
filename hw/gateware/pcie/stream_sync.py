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

from amaranth.hdl import Elaboratable, Module, Signal

MODULE = "spec2_sync"
"""Name of the Verilog module."""

BITS = 32
"""Width of the marker, which lies in the low bits of a beat; of streams, unless a design has wider ones."""


RESET_CLOCKS = 4
"""Clocks from ``hold`` until the accelerator has nothing to offer: a register each for the hold, the reset,
and what is reset, and one to spare. A power of two."""


class Stream:
    """The signals of one AXI4-Stream, with so many bits of data."""

    def __init__(self, name: str, bits: int) -> None:
        self.tdata = Signal(bits, name=f"{name}_tdata")
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
    """Sits in both streams, of ``bits``, without a clock of latency.

    marker: 0 to pass, anything else to synchronise; constant until the marker is back, or its client is dead.
    from_host, to_core; from_core, to_host: the streams. hold: reset of the accelerator.

    ``to_host`` keeps the promises of AXI4-Stream through all of it: what was offered stays, as it is, until
    it is taken, so ``hold`` waits for that, and a marker that is on its way back leaves, whatever
    ``marker`` has become. A frame of results that was begun ends with the marker.
    """

    def __init__(self, bits: int = BITS) -> None:
        self.marker = Signal(BITS)
        self.hold = Signal()
        self.from_host, self.to_core = Stream("from_host", bits), Stream("to_core", bits)
        self.from_core, self.to_host = Stream("from_core", bits), Stream("to_host", bits)

    @property
    def ports(self) -> list[Signal]:
        """Ports of the module, but for clock and reset."""
        streams = (self.from_host, self.to_core, self.from_core, self.to_host)
        return [self.marker, self.hold, *(signal for stream in streams for signal in stream.signals)]

    def elaborate(self, platform: Any) -> Module:
        """A path that passes, and a small state machine that does not."""
        m = Module()
        active = self.marker != 0
        left = Signal(range(RESET_CLOCKS))
        found = Signal(BITS)  # the marker that came from the host
        m.d.sync += self.hold.eq(1)
        with m.FSM():
            with m.State("PASS"):
                m.d.sync += self.hold.eq(0)
                m.d.comb += self.to_host.follow(self.from_core)
                with m.If(~active):  # else the accelerator gets nothing more before its reset
                    m.d.comb += self.to_core.follow(self.from_host)
                with m.If(active & ~(self.to_host.tvalid & ~self.to_host.tready)):
                    m.next = "DROP"
            with m.State("DROP"):
                # Until the marker comes; what comes after it stays outside.
                m.d.comb += self.from_host.tready.eq(active)
                taken = self.from_host.tvalid & self.from_host.tready
                with m.If(taken & self.from_host.tlast & (self.from_host.tdata[:BITS] == self.marker)):
                    m.d.sync += found.eq(self.marker)
                    m.next = "RETURN"
                with m.If(~active):
                    m.next = "LEAVE"
            with m.State("RETURN"):
                # Once, whole.
                m.d.comb += [
                    self.to_host.tdata.eq(found),
                    self.to_host.tlast.eq(1),
                    self.to_host.tvalid.eq(1),
                ]
                with m.If(self.to_host.tready):
                    m.next = "DONE"
            with m.State("DONE"):
                with m.If(~active):
                    m.next = "LEAVE"
                with m.Elif(self.marker != found):
                    m.next = "DROP"  # a new client's, that came before the old one had its own
            with m.State("LEAVE"):
                # However short the hold was: what the accelerator offers until then is gone with its reset.
                m.d.sync += [self.hold.eq(0), left.eq(left + 1)]
                with m.If(left == RESET_CLOCKS - 1):
                    m.next = "PASS"
                with m.If(active):
                    m.d.sync += left.eq(0)
                    m.next = "DROP"
        return m
