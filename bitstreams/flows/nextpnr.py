"""What nextpnr-xilinx reports in its log: the fastest clocks, and how much of the device is used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hw.util import documents
from hw.util.errors import TimingNotMet, ToolFailed

MOST_LOG = 64 << 20
"""Bytes of a log; a run prints some hundred kilobytes."""

_CLOCK = re.compile(
    r"^(?:Info|Warning|ERROR): Max frequency for clock\s+'(?P<name>[^']+)':"
    r"\s+(?P<mhz>\d{1,9}(?:\.\d{1,9})?) MHz "
    r"\((?:PASS|FAIL) at (?P<target>\d{1,9}(?:\.\d{1,9})?) MHz\)",
    re.M,
)
_USE = re.compile(r"^Info:\s+(?P<name>\w+):\s*(?P<used>\d{1,9})/\s*(?P<have>\d{1,9})\s+\d+%", re.M)
_LUT = re.compile(r"([^.\s]+\.SLICE[LM]_X[01])\.([ABCD])LUT\.INIT\b")
_ERROR = re.compile(r"^ERROR: (?!Max frequency)(.*)", re.M)

# What this project calls a resource, and the bels that hold it; a RAMB18E1 is half a RAMB36. LUTs are not
# among them: each has two bels of type SLICE_LUTX, and what shares one is decided after the log has counted.
_RESOURCES = {
    "ff": {"SLICE_FFX": 1.0},
    "dsp": {"DSP48E1_DSP48E1": 1.0, "DSP48E1": 1.0},
    "bram36": {"RAMB36E1_RAMB36E1": 1.0, "RAMB36E1": 1.0, "RAMB18E1_RAMB18E1": 0.5, "RAMB18E1": 0.5},
}


@dataclass(frozen=True)
class Clock:
    """A clock after routing, in MHz: what it can do and what it must."""

    name: str
    mhz: float
    target: float

    @property
    def met(self) -> bool:
        """Whether it is fast enough."""
        return self.mhz >= self.target

    @property
    def slack_ns(self) -> float:
        """Time to spare per period; negative when missed."""
        return 1000 / self.target - 1000 / self.mhz


@dataclass(frozen=True)
class Report:
    """clocks: after routing. used: bels by type, those in use. resources: by the project's names."""

    clocks: tuple[Clock, ...]
    used: Mapping[str, tuple[int, int]]
    resources: Mapping[str, float]

    @property
    def met(self) -> bool:
        """Whether every clock is fast enough."""
        return all(clock.met for clock in self.clocks)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        clocks = [{**asdict(clock), "met": clock.met, "slack_ns": clock.slack_ns} for clock in self.clocks]
        return {"clocks": clocks, "used": dict(self.used), "resources": dict(self.resources)}


def parse(log: str) -> Report:
    """Read a log. Clocks and use are reported after placement and after routing: the last one counts."""
    clocks = {m["name"]: Clock(m["name"], float(m["mhz"]), float(m["target"])) for m in _CLOCK.finditer(log)}
    used = {m["name"]: (int(m["used"]), int(m["have"])) for m in _USE.finditer(log) if int(m["used"])}
    resources = {
        name: sum(share * used.get(bel, (0, 0))[0] for bel, share in bels.items())
        for name, bels in _RESOURCES.items()
    }
    return Report(tuple(clocks.values()), used, resources)


def luts(fasm: Path | str) -> int:
    """LUTs of the device in use, by the features of ``top.fasm``. Raises ``ToolFailed`` without it.

    A LUT that computes two functions of five inputs is two bels and one of these; one that a route passes
    through counts, since nothing else can use it.
    """
    path = Path(fasm)
    try:
        with path.open(encoding="utf-8", errors="replace") as lines:
            return len({match.groups() for match in map(_LUT.match, lines) if match})
    except OSError as error:
        raise ToolFailed(f"nextpnr-xilinx left no FASM at {path} ({error.strerror})") from None


def read(path: Path | str, *, clock_hz: float, allow_timing_fail: bool = False) -> Report:
    """Read the log at ``path`` of a run for a design clock of ``clock_hz``.

    Raises ``ToolFailed`` when the run ended with an error, reports no clock, or held the design to less than
    its clock; ``TimingNotMet`` when it is too slow, unless ``allow_timing_fail``.
    """
    path = Path(path)
    try:
        log = documents.read(path, MOST_LOG).decode(errors="replace")
    except OSError as error:
        raise ToolFailed(f"nextpnr-xilinx left no log at {path} ({error.strerror})") from None
    if failure := _ERROR.search(log):
        raise ToolFailed(f"nextpnr-xilinx failed: {failure[1].strip().rstrip('.')}; its log is {path}")
    report = parse(log)
    if not all(clock.mhz and clock.target for clock in report.clocks):
        raise ToolFailed(
            f"nextpnr-xilinx reports a clock of 0 MHz: the run did not finish; its log is {path}"
        )
    if not report.clocks:
        raise ToolFailed(f"nextpnr-xilinx reports no clock: the run did not finish; its log is {path}")
    # A constraint that matched nothing shows as a target of 12 MHz, and as a pass.
    mhz = clock_hz / 1e6
    if max(clock.target for clock in report.clocks) < 0.99 * mhz:
        raise ToolFailed(
            f"nextpnr-xilinx analysed no clock at {mhz:g} MHz, its timing proves nothing; its log is {path}"
        )
    if not report.met and not allow_timing_fail:
        worst = min(report.clocks, key=lambda clock: clock.slack_ns)
        raise TimingNotMet(
            f"timing is missed: clock {worst.name!r} reaches {worst.mhz:g} of {worst.target:g} MHz; lower "
            f"--mhz, try another SEED, or allow it with --allow-timing-fail; the log is {path}"
        )
    return report
