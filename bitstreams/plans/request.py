"""What the run of a plan is asked for, and what it came to, whichever tool runs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Progress = Callable[[str], None]
"""Hears the name of every stage."""


@dataclass(frozen=True)
class BuildRequest:
    """How to run a plan that lies in ``folder``: where its output goes, and what is allowed.

    timeout: in seconds, None for no limit. allow_timing_fail: make a bitstream that is too slow.
    """

    folder: Path
    log: Path
    allow_timing_fail: bool = False
    timeout: float | None = None
    progress: Progress | None = None


@dataclass(frozen=True)
class BuildResult:
    """A build that was placed and routed.

    met: every path is fast enough. slack_ns: the worst one. fmax_mhz: what the design's clock could be, None
    when the tool does not say. tools: versions by name. used: resources by the names of a board's budget.
    details: more figures of this tool, plain JSON.
    """

    met: bool
    slack_ns: float
    fmax_mhz: float | None
    tools: Mapping[str, str]
    used: Mapping[str, float]
    warnings: int
    details: Mapping[str, Any] = field(default_factory=dict)
