"""Waves that are asked for: the file, the window of time, and whether it would fill a disk."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from hw.contract.design import DesignInfo
from hw.util import quote
from hw.util.documents import shown
from hw.util.errors import ConfigError
from sim.bench.job import PERIOD

SUFFIX = ".fst"

BYTES = 0.25
"""Of a clock in a file, for every flip-flop of the design by its estimate; less where little happens.
docs/quality.md has what was measured."""

MOST = 2 << 30
"""Bytes that are expected, at most, unless the window is given."""


@dataclass(frozen=True)
class Recording:
    """Waves from clock ``first`` of a simulation on, to ``last``, which is not among them; None for its end.

    Raises ``ConfigError`` for another kind of file, one whose name cannot stand in a save file, and a window
    without a clock.
    """

    file: Path
    first: int = 0
    last: int | None = None

    def __post_init__(self) -> None:
        if self.file.suffix.lower() != SUFFIX:
            raise ConfigError(
                f"waves are written as FST, not as {shown(self.file.suffix or self.file.name)}: name a file "
                f"that ends in {SUFFIX} (GTKWave and Surfer open it, fst2vcd makes a VCD of it)"
            )
        if '"' in str(self.file) or quote.line(str(self.file)) != str(self.file):
            raise ConfigError(
                f"the save file cannot hold the name {shown(str(self.file))}: choose one without quotes and "
                "control characters"
            )
        if self.first < 0 or (self.last is not None and self.last <= self.first):
            raise ConfigError(
                f"--waves-from {self.first} and --waves-to {self.last} leave no clock between: "
                "--waves-to is the first clock that is not recorded"
            )

    def arguments(self, part: Path) -> list[str]:
        """Of a simulator that records, into the file ``part``."""
        window = [f"+waves_from={self.first * PERIOD}"]
        window += [] if self.last is None else [f"+waves_to={self.last * PERIOD}"]
        return ["--trace", "--trace-file", str(part.resolve()), *window]

    def check(self, info: DesignInfo, images: int, stalls: bool) -> None:
        """Raise ``ConfigError`` if waves of a simulation of ``images`` images would be larger than
        :data:`MOST`, by the estimates of the design, and no window bounds them."""
        cycles, registers = (int(info.estimates.get(name, 0)) for name in ("cycles", "ff"))
        clocks = cycles * math.ceil(images / info.config.batch) * (2 if stalls else 1)
        size = clocks * registers * BYTES
        if self.last is None and size > MOST:
            most = max(1, int(clocks * MOST / size))
            raise ConfigError(
                f"waves of about {clocks:,} clocks of this design take about {size / 1e9:,.0f} GB: ask for "
                f"fewer --images, or bound the window with --waves-to, {self.first + most} for "
                f"{MOST / 1e9:.0f} GB"
            )
