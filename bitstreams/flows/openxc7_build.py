"""Runs a plan of the open tools and reads their log."""

from __future__ import annotations

import re

from bitstreams import toolchain
from bitstreams.flows import nextpnr, openxc7
from bitstreams.outcome import Order, Outcome
from bitstreams.plan import Plan
from bitstreams.run import because, execute
from hw.util.errors import ToolFailed


def run(plan: Plan, order: Order) -> Outcome:
    """Run the plan that was extracted to ``order.folder``.

    A build that misses timing is an outcome. Raises ``ToolNotFound``, or ``ToolFailed`` with the reason.
    """
    found = toolchain.find_all(openxc7.TOOLS)
    log = order.folder / openxc7.LOG
    log.unlink(missing_ok=True)  # what is read below must be of this run

    def listen(line: str) -> None:
        if order.progress and line.startswith("== "):
            order.progress(re.sub(r" \(.*", "", line.removeprefix("== ")))

    command = openxc7.command(allow_timing_fail=order.allow_timing_fail)
    code = execute(command, order.folder, order.log, listen=listen, timeout=order.timeout)
    text = order.log.read_text(encoding="utf-8", errors="replace")
    if code and not log.exists():
        raise ToolFailed(f"the open tools failed: {_reason(text, code)}; their log is {order.log}")
    report = nextpnr.read(log, clock_hz=plan.manifest.clock_hz, allow_timing_fail=True)
    if code and report.met:  # routed and fast enough: something behind it failed
        raise ToolFailed(f"the open tools failed: {_reason(text, code)}; their log is {order.log}")
    worst = min(report.clocks, key=lambda clock: clock.slack_ns)
    return Outcome(
        met=report.met,
        slack_ns=round(worst.slack_ns, 3),
        fmax_mhz=worst.mhz,
        tools=toolchain.versions(found),
        used=report.resources,
        warnings=len(re.findall(r"^Warning: ", text, re.M)),
        details=report.to_json(),
    )


def _reason(log: str, code: int) -> str:
    """The script's own message or a tool's last error, or how it ended."""
    said = re.findall(r"^build\.sh: (.*)", log, re.M) or re.findall(r"^ERROR: (.*)", log, re.M)
    return said[-1].rstrip(". ") if said else f"the script {because(code)}"
