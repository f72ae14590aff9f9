"""Whether a board's memories keep pace with a design that reads its weights from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from bitstreams.boards.board import Board


@dataclass(frozen=True)
class Feeding:
    """Bytes per second of a design's reader at the board's clock, a beat a clock, against what its memories
    give.

    peak, sustained: of these memories (:mod:`bitstreams.boards.memory`). Clocks of a design are counted with
    a beat every clock, so they hold where ``wanted`` is no more than ``sustained``.
    """

    board: str
    memories: int
    bus_bits: int
    clock_hz: float
    wanted: float
    peak: float
    sustained: float

    @property
    def enough(self) -> bool:
        """Whether memory keeps pace."""
        return self.wanted <= self.sustained

    def __str__(self) -> str:
        count = self.memories
        givers = f"{count} memories side by side are" if count > 1 else "one memory is"
        said = (
            f"Weights are read at {self.wanted / 1e9:.3g} GB/s, {self.bus_bits} bits a clock at "
            f"{self.clock_hz / 1e6:g} MHz; on the {self.board} {givers} reckoned to sustain "
            f"{self.sustained / 1e9:.3g} GB/s (peak {self.peak / 1e9:.3g} GB/s)"
        )
        if self.enough:
            return f"{said}."
        return (
            f"{said}: the array will wait, and the clocks above are too few. Lower --bus-bits, raise "
            "--memories, or build it for a slower clock."
        )

    def to_json(self) -> dict[str, Any]:
        """Plain data, and the sentence."""
        return asdict(self) | {"enough": self.enough, "says": str(self)}


def feeding(board: Board, bus_bits: int, memories: int) -> Feeding:
    """Of a design with a bus of so many bits over so many memories. Raises ``ConfigError`` for more memories
    than the board has."""
    peak, sustained = board.bandwidth(memories)
    wanted = bus_bits / 8 * board.clock
    return Feeding(board.name, memories, bus_bits, board.clock, wanted, peak, sustained)
