"""A board's data sheet as a table: its page in ``docs/boards/`` holds what :func:`markdown` renders.

What a board does not have is not in it: memory that designs read, a serial port, a flash.
"""

from __future__ import annotations

from collections.abc import Iterator

from bitstreams.boards.board import RESOURCES, Board, Flash
from bitstreams.boards.memory import Memory
from bitstreams.boards.wiring import Pin, wiring

_GIB, _MHZ = 1 << 30, 1e6


def markdown(board: Board) -> str:
    """The table of a board, in Markdown: its device, its budget, and what the shell uses of it."""
    return "".join(
        f"| {name} | {value} |\n" for name, value in [("property", "value"), ("---", "---"), *_rows(board)]
    )


def _rows(board: Board) -> Iterator[tuple[str, str]]:
    yield "name", f"`{board.name}`"
    yield "part", f"`{board.part}`"
    for name, plural in RESOURCES.items():
        yield plural, f"{board.budget[name]:,}"
    yield "budget from", board.source
    if board.memories:
        yield from _memories(board)
    if board.platform:
        yield from _pins(board)
    if board.processor:
        yield "processor", f"`{board.processor}`"
    yield "transports", ", ".join(f"`{name}`" for name in board.transports)
    yield "streams of images and results", f"{board.stream_bits} bits at most"
    yield "design clock, Vivado", f"{board.clock / _MHZ:g} MHz"
    if board.platform:
        yield "design clock, openXC7", _open_clock(board.open_clock)
    if board.flash:
        yield from _loading(board, board.flash)


def _memories(board: Board) -> Iterator[tuple[str, str]]:
    yield "memory on the board", f"{board.dram / _GIB:g} GiB"
    for memory in board.memories:
        yield memory.name, _memory(memory)
    yield "memories in a build", " or ".join(map(str, board.connected)) or "none"
    yield "bandwidth, peak and reckoned with", _bandwidth(board)
    yield "bandwidth from", "; ".join(dict.fromkeys(memory.source for memory in board.memories))


def _pins(board: Board) -> Iterator[tuple[str, str]]:
    pins = wiring(board)
    yield "pins from", board.pins
    yield "oscillator", f"{pins.clock_hz / _MHZ:g} MHz at {_sites(*pins.clock)}"
    yield "reset button", f"{_sites(pins.reset)}, active {'low' if pins.reset.inverted else 'high'}"
    yield "UART", f"from the host at {_sites(pins.uart_rx)}, to the host at {_sites(pins.uart_tx)}"
    yield "bit rate", f"{board.baud:,} bit/s, at most {board.max_baud:,}"
    yield "LEDs", f"clock runs: {_sites(pins.leds[0])}; answers: {_sites(pins.leds[1])}"


def _open_clock(clock: int | None) -> str:
    return "no database of this part" if clock is None else f"{clock / _MHZ:g} MHz"


def _loading(board: Board, flash: Flash) -> Iterator[tuple[str, str]]:
    yield "openFPGALoader", f"`{' '.join(board.loader)}`"
    yield "flash", f"`{flash.name}`"


def _memory(memory: Memory) -> str:
    """``MT8KTF51264HZ-1G9, 4 GiB, 64 bits at 1,600 MT/s``."""
    size = f"{memory.bytes / _GIB:g} GiB"
    return f"{memory.part}, {size}, {memory.bits} bits at {memory.rate / _MHZ:,g} MT/s"


def _bandwidth(board: Board) -> str:
    """``one 12.8 and 10.2 GB/s, 2 side by side 24.2 and 19.4 GB/s``."""
    counts = [count for count in (1, 2, 4) if count <= len(board.memories)]
    parts = []
    for count in counts:
        peak, sustained = (rate / 1e9 for rate in board.bandwidth(count))
        parts.append(
            f"{'one' if count == 1 else f'{count} side by side'} {peak:.3g} and {sustained:.3g} GB/s"
        )
    return ", ".join(parts)


def _sites(*pins: Pin) -> str:
    """``E19, E18 (LVDS)``."""
    return f"{', '.join(pin.site for pin in pins)} ({pins[0].iostandard})"
