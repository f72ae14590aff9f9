"""What Vivado says of a build, as figures: slack, clocks, utilisation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Clock:
    """A clock of the design. slack: worst setup slack (ns) within it, None when no path is timed."""

    name: str
    period: float
    slack: float | None

    @property
    def mhz(self) -> float:
        """Its frequency as constrained."""
        return 1000 / self.period

    @property
    def fmax(self) -> float | None:
        """The frequency in MHz at which its slack would be zero."""
        timed = self.slack is not None and self.slack < self.period
        return 1000 / (self.period - self.slack) if timed and self.slack is not None else None


@dataclass(frozen=True)
class Timing:
    """Slack in ns over the whole design: worst and total, for setup (wns, tns), hold, pulse width."""

    wns: float
    tns: float
    setup_failing: int
    endpoints: int
    whs: float
    ths: float
    hold_failing: int
    wpws: float
    clocks: tuple[Clock, ...] = ()

    @property
    def met(self) -> bool:
        """Whether no path is too slow, too fast, or too narrow."""
        return min(self.wns, self.whs, self.wpws) >= 0

    def to_json(self) -> dict[str, Any]:
        """Plain data, with the frequencies of clocks."""
        clocks = [{**asdict(clock), "mhz": clock.mhz, "fmax": clock.fmax} for clock in self.clocks]
        return {**asdict(self), "clocks": clocks}


@dataclass(frozen=True)
class Use:
    """How much of a resource is used, and how much there is."""

    used: float
    available: float


@dataclass(frozen=True)
class Report:
    """All of a build's figures. ``hierarchy`` maps instances below the top to their resources."""

    tool: str
    timing: Timing
    utilisation: Mapping[str, Use]
    hierarchy: Mapping[str, Mapping[str, int]]
    unrouted: int
    warnings: int
    critical_warnings: int

    def fmax(self, mhz: float) -> float | None:
        """The lowest Fmax among the clocks that run at ``mhz`` (to 2 %); None when none is timed."""
        values = [clock.fmax for clock in self.timing.clocks if abs(clock.mhz / mhz - 1) < 0.02]
        return min((value for value in values if value is not None), default=None)
