"""Runs a plan of the open tools and reads their log."""

from __future__ import annotations

import re

from bitstreams.flows import nextpnr, openxc7, sdf
from bitstreams.flows.routed_timing import analyse, blocks
from bitstreams.plans.plan import Plan
from bitstreams.plans.request import BuildRequest, BuildResult
from bitstreams.tools import programs
from bitstreams.tools.execution import because, execute
from hw.util.errors import ToolFailed


def run(plan: Plan, request: BuildRequest) -> BuildResult:
    """Run the plan that was extracted to ``request.folder``.

    Its clock is the slower one of two figures: nextpnr-xilinx' own, and that of :mod:`.routed_timing`. A
    build that misses timing is a result. Raises ``ToolNotFound``, or ``ToolFailed`` with the reason.
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
    if code and report.met:  # routed and fast enough for the tool: something after it failed
        raise ToolFailed(f"the open tools failed: {_reason(text, code)}; their log is {request.log}")
    delays = sdf.read(request.folder / openxc7.SDF)
    routed = analyse(delays, blocks(request.folder / openxc7.NETLIST))
    mhz = min(routed.mhz, min(report.clocks, key=lambda clock: clock.slack_ns).mhz)
    target = plan.manifest.clock_hz / 1e6
    slack = min(1000 / target - routed.period_ns, *(clock.slack_ns for clock in report.clocks))
    return BuildResult(
        met=report.met and slack >= 0,
        slack_ns=round(slack, 3),
        fmax_mhz=mhz,
        tools=programs.versions(found),
        used={"lut": nextpnr.luts(request.folder / openxc7.FASM), **report.resources},
        warnings=len(re.findall(r"^Warning: ", text, re.M)),
        details=report.to_json() | {"routed": routed.to_json()},
    )


def _reason(log: str, code: int) -> str:
    """The script's own message or a tool's last error, or how it ended."""
    said = re.findall(r"^build\.sh: (.*)", log, re.M) or re.findall(r"^ERROR: (.*)", log, re.M)
    return said[-1].rstrip(". ") if said else f"the script {because(code)}"
