"""Two LEDs: the clock runs; an answer is being sent."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Elaboratable, Module, Signal

LEDS = ("heartbeat", "traffic")
"""Their names, in the order of a board's LEDs."""

HOLD_MS = 50
"""How long the second one stays lit: an answer takes well below a millisecond."""


class Leds(Elaboratable):  # type: ignore[misc]
    """tx: the line to the host, low while it sends. lit: of each LED. hertz: of the clock."""

    def __init__(self, hertz: int) -> None:
        self.hertz = hertz
        self.tx = Signal()
        self.lit = {name: Signal(name=name) for name in LEDS}

    @property
    def ports(self) -> list[Signal]:
        """Ports of the module, but for clock and reset."""
        return [self.tx, *self.lit.values()]

    def elaborate(self, platform: Any) -> Module:
        """A counter whose top bit has a period of one to two seconds, and one that runs out."""
        m = Module()
        beat = Signal(self.hertz.bit_length(), reset_less=True)
        held = self.hertz * HOLD_MS // 1000
        hold = Signal(range(held + 1))
        m.d.sync += beat.eq(beat + 1)
        with m.If(~self.tx):
            m.d.sync += hold.eq(held)
        with m.Elif(hold != 0):
            m.d.sync += hold.eq(hold - 1)
        m.d.comb += [self.lit["heartbeat"].eq(beat[-1]), self.lit["traffic"].eq(hold != 0)]
        return m
