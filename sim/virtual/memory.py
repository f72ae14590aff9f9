"""External memory of a virtual board: which ports lead to it, where a host finds it, how it behaves.

``harness/memory.h`` is the memory itself. It has room for everything; what was never written reads as 0xDB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hw.util.errors import ConfigError

STRIDE = 1 << 32
"""A host finds memory i of a board at i times as many bytes; the design's own port sees it at 0."""

MILLION = 1_000_000


@dataclass(frozen=True)
class MemoryConditions:
    """How the memories of a board behave; the same again for the same ``seed``.

    latency: clocks from a burst's address to its first beat, and of a write to its response, 1 at least.
    stall: of 256 clocks, in how many a channel stands still, at random. refresh_clocks: in which nothing
    moves, every refresh_period clocks (0: never). errors: of a million bursts, how many are answered with an
    error.

    Unless chosen, it is a DDR3 SDRAM at a design's clock of 100 MHz. Raises ``ConfigError`` for a number out
    of its range.
    """

    latency: int = 30
    stall: int = 0
    refresh_period: int = 780
    refresh_clocks: int = 35
    errors: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        most = {
            "latency": 100_000,
            "stall": 255,
            "refresh_period": MILLION,
            "refresh_clocks": max(self.refresh_period - 1, 0),
            "errors": MILLION,
            "seed": MILLION,
        }
        for name, value in asdict(self).items():
            if not 0 <= value <= most[name]:
                raise ConfigError(f"the memory's {name} must be 0 to {most[name]}, not {value}")

    def arguments(self) -> list[str]:
        """Options of the board's program."""
        pairs = asdict(self).items()
        return [part for name, n in pairs for part in (f"--memory-{name.replace('_', '-')}", str(n))]


def ports_header(read: Sequence[str] = (), host: Sequence[str] = ()) -> str:
    """``ports.h`` of a module: ``read``, its ports to one memory each, in order; ``host``, those to all."""
    whole = max(len(read), 1) * STRIDE
    tables = {
        "READ_PORTS": [(name, i * STRIDE, STRIDE) for i, name in enumerate(read)],
        "HOST_PORTS": [(name, 0, whole) for name in host],
    }
    lines = ["// AXI4 ports to memory: name, and base and size of the region that each sees.", "#pragma once"]
    for table, ports in tables.items():
        calls = (f" PORT({name}, 0x{base:X}ull, 0x{size:X}ull)" for name, base, size in ports)
        lines.append(f"#define {table}(PORT){''.join(calls)}")
    lines += ["// Bytes that a host may write past them.", f"#define HOST_BYTES 0x{len(read) * STRIDE:X}ull"]
    return "\n".join(lines) + "\n"
