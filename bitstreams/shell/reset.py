"""Reset: asserted at once, also without a clock, and released in step with the clock."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import ClockDomain, ClockSignal, Elaboratable, Module, Signal

STAGES = 4
"""Flip-flops between the release and the reset: two against metastability, two to spread it."""


class ResetBridge(Elaboratable):  # type: ignore[misc]
    """``reset`` rises with ``request`` (asynchronous), and falls :data:`STAGES` clocks after it fell.

    Flip-flops with asynchronous set, high after configuration.
    """

    def __init__(self) -> None:
        self.request = Signal()
        self.reset = Signal(init=1)

    def elaborate(self, platform: Any) -> Module:
        """A shift register of ones that fills with zeros."""
        m = Module()
        m.domains.release = release = ClockDomain("release", async_reset=True, local=True)
        # Keeps Vivado from replicating or spreading the stages.
        stages = [Signal(init=1, name=f"stage{i}", attrs={"ASYNC_REG": "TRUE"}) for i in range(STAGES)]
        m.d.comb += [
            release.clk.eq(ClockSignal()),
            release.rst.eq(self.request),
            self.reset.eq(stages[-1]),
        ]
        m.d.release += [after.eq(before) for before, after in zip([0, *stages], stages, strict=False)]
        return m
