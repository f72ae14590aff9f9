"""The pins that the shell uses of a board, read from its platform."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitstreams.boards.board import Board

LEDS = 2
"""LEDs the shell drives when the board has them."""


@dataclass(frozen=True)
class Pin:
    """A pin of the package. inverted: low means active."""

    site: str
    iostandard: str
    inverted: bool = False


@dataclass(frozen=True)
class Wiring:
    """The shell's pins. clock: one pin, or two (positive, negative); clock_hz: its frequency."""

    clock: tuple[Pin, ...]
    clock_hz: int
    reset: Pin
    uart_rx: Pin
    uart_tx: Pin
    leds: tuple[Pin, ...]


def wiring(board: Board) -> Wiring:
    """What the platform of ``board`` says about the shell's pins."""
    platform = board.platform()
    clock = platform.lookup(platform.default_clk)
    (reset,) = _pins(platform, platform.lookup(platform.default_rst))
    uart = platform.lookup("uart", 0)
    lines = {line.name: _pins(platform, line, uart.attrs)[0] for line in uart.ios}
    leds = [_pins(platform, platform.lookup("led", i))[0] for i in range(LEDS)]
    return Wiring(
        clock=tuple(_pins(platform, clock)),
        clock_hz=round(clock.clock.frequency),
        reset=reset,
        uart_rx=lines["rx"],
        uart_tx=lines["tx"],
        leds=tuple(leds),
    )


def _pins(platform: Any, resource: Any, outer: Mapping[str, Any] | None = None) -> list[Pin]:
    """The pins of a resource with a single pin or pair, or of part of one with attributes ``outer``."""
    standard = {**(outer or {}), **resource.attrs}["IOSTANDARD"]
    standard = standard(platform) if callable(standard) else standard
    (ios,) = resource.ios
    sites = ios.names if hasattr(ios, "names") else [*ios.p.names, *ios.n.names]
    return [Pin(site.strip(), standard, ios.invert) for site in sites]
