"""Runs a plan of the open tools and reads their log."""

from __future__ import annotations

import re

from bitstreams.flows import nextpnr, openxc7
from bitstreams.plans.plan import Plan
from bitstreams.plans.request import BuildRequest, BuildResult
from bitstreams.tools import programs
from bitstreams.tools.execution import because, execute
from hw.util.errors import ToolFailed


def run(plan: Plan, request: BuildRequest) -> BuildResult:
    """Run the plan that was extracted to ``request.folder``.

    A build that misses timing is a result. Raises ``ToolNotFound``, or ``ToolFailed`` with the reason.
    """
    found = programs.find_all(openxc7.TOOLS)
    log = request.folder / openxc7.LOG
    log.unlink(missing_ok=True)  # what is read below must be of this run

    def listen(line: str) -> None:
        if request.progress and line.startswith("== "):
            request.progress(re.sub(r" \(.*", "", line.removeprefix("== ")))

    command = openxc7.command(allow_timing_fail=request.allow_timing_fail)
    code = execute(command, request.folder, request.log, listen=listen, timeout=request.timeout)
    text = request.log.read_text(encoding="utf-8", errors="replace")
    if code and not log.exists():
        raise ToolFailed(f"the open tools failed: {_reason(text, code)}; their log is {request.log}")
    report = nextpnr.read(log, clock_hz=plan.manifest.clock_hz, allow_timing_fail=True)
    if code and report.met:  # routed and fast enough: something after it failed
        raise ToolFailed(f"the open tools failed: {_reason(text, code)}; their log is {request.log}")
    used = {"lut": nextpnr.luts(request.folder / openxc7.FASM), **report.resources}
    worst = min(report.clocks, key=lambda clock: clock.slack_ns)
    return BuildResult(
        met=report.met,
        slack_ns=round(worst.slack_ns, 3),
        fmax_mhz=worst.mhz,
        tools=programs.versions(found),
        used=used,
        warnings=len(re.findall(r"^Warning: ", text, re.M)),
        details=report.to_json(),
    )


def _reason(log: str, code: int) -> str:
    """The script's own message or a tool's last error, or how it ended."""
    said = re.findall(r"^build\.sh: (.*)", log, re.M) or re.findall(r"^ERROR: (.*)", log, re.M)
    return said[-1].rstrip(". ") if said else f"the script {because(code)}"
