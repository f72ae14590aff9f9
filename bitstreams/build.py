"""From a design folder to a bitstream: the plan, the run of its tool, and ``build.json`` with the figures."""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any

from bitstreams import boards
from bitstreams.boards import Board, budget
from bitstreams.boards.board import UART
from bitstreams.flows import openxc7, openxc7_build, vivado, vivado_build
from bitstreams.plans import manifest
from bitstreams.plans.plan import Plan
from bitstreams.plans.request import BuildRequest, BuildResult, Progress
from hw.contract.design import DesignInfo
from hw.util.errors import ConfigError, TimingNotMet, ToolFailed
from hw.util.files import write, write_json

FILE_NAME = "build.json"
"""Written beside the bitstream."""

LOG_NAME = "build.log"
"""Output of the tool, beside the bitstream."""

TOOLCHAINS = (vivado.FLOW, openxc7.FLOW)

_RUN = {vivado.FLOW: vivado_build.run, openxc7.FLOW: openxc7_build.run}


def plan(
    design: Path | str,
    board: Board | str,
    *,
    toolchain: str = vivado.FLOW,
    transport: str = "",
    mhz: float | None = None,
    baud: int | None = None,
    dsp: bool = True,
) -> Plan:
    """The plan that makes a bitstream of the design in folder ``design`` for ``board``. Needs no tool.

    ``transport``, ``mhz`` (the design's clock) and ``baud`` (of the UART) default to the board's. Without
    ``dsp`` the open tools make multipliers of LUTs. Raises ``DoesNotFit`` before anything else when the board
    is too small, ``ConfigError`` for a choice that board or toolchain do not offer (memory for a design that
    reads its weights, for one), ``ArtifactError`` without a complete design.
    """
    board = boards.find(board) if isinstance(board, str) else board
    info = DesignInfo.load(design)
    if info.estimates:
        budget.check_multiplier_port(board, info.estimates)
        budget.check(board, budget.needs(info.estimates))
    if toolchain not in TOOLCHAINS:
        raise ConfigError(f"there is no toolchain {toolchain!r}: known are {', '.join(TOOLCHAINS)}")
    transport = transport or board.transports[0]
    if transport not in board.transports:
        raise ConfigError(
            f"the {board.name} has no transport {transport!r}: it has {', '.join(board.transports)}"
        )
    if info.config.stream_weights and (toolchain != vivado.FLOW or not board.controllers):
        able = ", ".join(name for name, other in boards.BOARDS.items() if other.controllers)
        raise ConfigError(
            "the design reads its weights from external memory, which builds with Vivado connect on "
            f"{able}: use those, or generate it without --stream-weights"
        )
    if mhz is not None and mhz <= 0:
        raise ConfigError(f"the design clock must be positive, not {mhz:g} MHz")
    if baud is not None and baud <= 0:
        raise ConfigError(f"the bit rate must be positive, not {baud}")
    clock_hz = round((mhz or 0) * 1e6)
    if toolchain == vivado.FLOW:
        if not dsp:
            raise ConfigError("Vivado needs no plan without DSP slices: leave --no-dsp out, or use openxc7")
        return vivado.plan(design, board, transport=transport, clock_hz=clock_hz, baud=baud or 0)
    if transport != UART:
        raise ConfigError(f"the open tools cannot build transport {transport!r}: use Vivado, or uart")
    return openxc7.plan(design, board, clock_hz=clock_hz, baud=baud or 0, dsp=dsp)


def build(
    plan: Plan,
    out: Path | str,
    *,
    allow_timing_fail: bool = False,
    progress: Progress | None = None,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Run the plan's tool and return the figures; folder ``out`` gets the products and ``build.json``.

    The tool works in ``out/NAME``, where a Vivado run that was broken off goes on. Raises ``ToolNotFound``
    without the tool, ``ToolFailed`` when it fails, leaves too little or takes more than ``timeout`` seconds,
    and ``TimingNotMet`` for a clock that is too fast unless ``allow_timing_fail``: ``build.json`` is written
    then, but there is no bitstream.
    """
    out = Path(out)
    folder = out / plan.name
    plan.extract(folder)
    # What an earlier build left must not pass for a product of this one.
    for name in (FILE_NAME, manifest.FILE_NAME, *plan.products):
        (out / name).unlink(missing_ok=True)
    for name in plan.products:
        (folder / name).unlink(missing_ok=True)
    request = BuildRequest(folder, out / LOG_NAME, allow_timing_fail, timeout, progress)
    start = time.monotonic()
    result = _RUN[plan.manifest.flow](plan, request)
    seconds = time.monotonic() - start
    kept = result.met or allow_timing_fail
    products = {name: _keep(folder / name, out / name, request.log) for name in plan.products} if kept else {}
    described = plan.manifest.with_files(plan.files).with_tools(result.tools)
    figures = _figures(plan, result, products, seconds)
    write(out / manifest.FILE_NAME, described.to_text())
    write_json(out / FILE_NAME, figures)
    if not kept:
        raise TimingNotMet(_missed(figures))
    return figures


def _keep(made: Path, kept: Path, log: Path) -> str:
    """Copy a product and return its SHA-256."""
    try:
        shutil.copyfile(made, kept)
    except FileNotFoundError:
        raise ToolFailed(
            f"the tool ended without an error, but left no {made.name}; its log is {log}"
        ) from None
    return hashlib.sha256(kept.read_bytes()).hexdigest()


def _figures(plan: Plan, result: BuildResult, products: dict[str, str], seconds: float) -> dict[str, Any]:
    """What ``build.json`` holds. Digests: of the plan, the artifact, the design, every product."""
    made = plan.manifest
    available = boards.find(made.board).budget
    return {
        "board": made.board,
        "part": made.part,
        "toolchain": made.flow,
        "transport": made.transport,
        "tools": dict(result.tools),
        "plan": plan.digest,
        "artifact": made.artifact,
        "design": made.design,
        "products": products,
        "memory": [dict(row) for row in made.memory],
        "clock_mhz": round(made.clock_hz / 1e6, 6),
        "timing_met": result.met,
        "slack_ns": result.slack_ns,
        "fmax_mhz": None if result.fmax_mhz is None else round(result.fmax_mhz, 2),
        "used": dict(result.used),
        "use_percent": {
            name: round(100 * used / available[name], 2)
            for name, used in result.used.items()
            if available.get(name)
        },
        "warnings": result.warnings,
        "seconds": round(seconds, 1),
        "details": dict(result.details),
    }


def _missed(figures: dict[str, Any]) -> str:
    fmax = figures["fmax_mhz"]
    reach = f"the design reaches {fmax:g} MHz: " if fmax is not None else ""
    return (
        f"timing is missed at {figures['clock_mhz']:g} MHz, the worst slack is {figures['slack_ns']:g} ns; "
        f"{reach}lower --mhz, or pass --allow-timing-fail"
    )
