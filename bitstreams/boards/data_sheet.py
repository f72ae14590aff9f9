"""A board's data sheet as a table: its page in ``docs/boards/`` holds what :func:`markdown` renders."""

from __future__ import annotations

from collections.abc import Iterator

from bitstreams.boards.board import RESOURCES, Board
from bitstreams.boards.wiring import Pin, wiring

_GIB, _MHZ = 1 << 30, 1e6


def markdown(board: Board) -> str:
    """The table of a board, in Markdown: its device, its budget, and what the shell uses of it."""
    return "".join(
        f"| {name} | {value} |\n" for name, value in [("property", "value"), ("---", "---"), *_rows(board)]
    )


def _rows(board: Board) -> Iterator[tuple[str, str]]:
    pins = wiring(board)
    yield "name", f"`{board.name}`"
    yield "part", f"`{board.part}`"
    for name, plural in RESOURCES.items():
        yield plural, f"{board.budget[name]:,}"
    yield "budget from", board.source
    yield "memory on the board", f"{board.dram / _GIB:g} GiB"
    yield "its bandwidth", _bandwidth(board)
    yield "bandwidth from", board.dram_source
    yield "pins from", board.pins
    yield "oscillator", f"{pins.clock_hz / _MHZ:g} MHz at {_sites(*pins.clock)}"
    yield "reset button", f"{_sites(pins.reset)}, active {'low' if pins.reset.inverted else 'high'}"
    yield "UART", f"from the host at {_sites(pins.uart_rx)}, to the host at {_sites(pins.uart_tx)}"
    yield "bit rate", f"{board.baud:,} bit/s, at most {board.max_baud:,}"
    yield "LEDs", f"clock runs: {_sites(pins.leds[0])}; answers: {_sites(pins.leds[1])}"
    yield "transports", ", ".join(f"`{name}`" for name in board.transports)
    yield "streams of images and results", f"{board.stream_bits} bits at most"
    yield "design clock, Vivado", f"{board.clock / _MHZ:g} MHz"
    open_clock = board.open_clock
    yield (
        "design clock, openXC7",
        "no database of this part" if open_clock is None else f"{open_clock / _MHZ:g} MHz",
    )
    yield "openFPGALoader", f"`{' '.join(board.loader)}`"
    yield "flash", f"`{board.flash.name}`"


def _bandwidth(board: Board) -> str:
    """``2 × 64 bits at 1,866 MT/s, 14.9 GB/s each``."""
    count = f"{board.dram_interfaces} × " if board.dram_interfaces > 1 else ""
    each = " each" if board.dram_interfaces > 1 else ""
    rate = f"{board.dram_rate / _MHZ:,g} MT/s, {board.dram_bytes_per_second / 1e9:.3g} GB/s{each}"
    return f"{count}{board.dram_bits} bits at {rate}"


def _sites(*pins: Pin) -> str:
    """``E19, E18 (LVDS)``."""
    return f"{', '.join(pin.site for pin in pins)} ({pins[0].iostandard})"
