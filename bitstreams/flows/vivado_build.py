"""Runs a Vivado plan and reads its reports."""

from __future__ import annotations

import re
import shutil

from bitstreams.flows import vivado, vivado_reports
from bitstreams.plans.plan import Plan
from bitstreams.plans.request import BuildRequest, BuildResult
from bitstreams.tools import programs
from bitstreams.tools.execution import because, execute
from hw.util.errors import ToolFailed

_SAID = re.compile(r"SPEC2 ([A-Z]+) ?(.*)")

MISSED = "timing is missed"
"""How the message of ``tcl/common.tcl`` about slack begins."""


def run(plan: Plan, request: BuildRequest) -> BuildResult:
    """Run the plan that was extracted to ``request.folder``.

    A build that misses timing is a result. Raises ``ToolNotFound``, or ``ToolFailed`` with Vivado's reason.
    """
    found = programs.find("vivado")
    stages: dict[str, int] = {}
    failure = ""

    def listen(line: str) -> None:
        nonlocal failure
        said = _SAID.match(line)
        word, rest = said.groups() if said else ("", "")
        if word == "STAGE" and request.progress:
            request.progress(rest)
        elif word == "DONE":
            stage, seconds = rest.split()
            stages[stage] = int(seconds)
        elif word == "FAIL":
            failure = rest

    # What is read and kept below must be of this run.
    shutil.rmtree(request.folder / vivado.REPORTS, ignore_errors=True)
    command = vivado.command(found.path, allow_timing_fail=request.allow_timing_fail)
    code = execute(command, request.folder, request.log, listen=listen, timeout=request.timeout)
    log = request.log.read_text(encoding="utf-8", errors="replace")
    if code and not failure.startswith(MISSED):
        raise ToolFailed(f"Vivado failed: {failure or _reason(log, code)}; its log is {request.log}")
    report = vivado_reports.read(request.folder / vivado.REPORTS, log)
    if report.unrouted:
        raise ToolFailed(f"Vivado left {report.unrouted} nets unrouted; its log is {request.log}")
    return BuildResult(
        met=report.timing.met,
        slack_ns=min(report.timing.wns, report.timing.whs, report.timing.wpws),
        fmax_mhz=report.fmax(plan.manifest.clock_hz / 1e6),
        tools={"vivado": report.tool.removeprefix("Vivado ")},
        used={name: use.used for name, use in report.utilisation.items()},
        warnings=report.warnings + report.critical_warnings,
        details={
            "timing": report.timing.to_json(),
            "available": {name: use.available for name, use in report.utilisation.items()},
            "hierarchy": {name: dict(row) for name, row in report.hierarchy.items()},
            "critical_warnings": report.critical_warnings,
            "stage_seconds": stages,
        },
    )


def _reason(log: str, code: int) -> str:
    """Vivado's last error, or how it ended."""
    errors = re.findall(r"^ERROR: (?:\[[^\]]*\] )?(.*)", log, re.M)
    return errors[-1].rstrip(". ") if errors else f"it {because(code)}"
