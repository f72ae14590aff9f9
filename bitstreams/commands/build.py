"""``spec2 build``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hw.commands.console import emit, progress, requires, scalars
from hw.commands.models import DESIGN, located
from hw.commands.options import Baud, Design, Json
from hw.util import quote
from hw.util.tables import table


class Toolchain(StrEnum):
    """Tools that make bitstreams."""

    vivado = "vivado"
    openxc7 = "openxc7"


class Transport(StrEnum):
    """What connects a host to a design on a board."""

    uart = "uart"
    pcie = "pcie"
    zynq = "zynq"


def build(
    design: Design,
    board: Annotated[str, typer.Option(help="The board: see 'spec2 boards'.")],
    toolchain: Annotated[Toolchain, typer.Option(help="Tools that make the bitstream.")] = Toolchain.vivado,
    transport: Annotated[
        Transport | None,
        typer.Option(help="Way from the host to the design. [default: uart, or zynq beside a processor]"),
    ] = None,
    mhz: Annotated[float | None, typer.Option(help="Clock of the design. [default: the board's]")] = None,
    baud: Baud = None,
    no_dsp: Annotated[
        bool, typer.Option("--no-dsp", help="Multipliers of LUTs, many of them; the open tools only.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results. [default: BOARD beside DESIGN]")
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan-only", help="Write the plan; run no tool.")] = False,
    allow_timing_fail: Annotated[
        bool, typer.Option("--allow-timing-fail", help="Keep a bitstream that misses its clock.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a bitstream of a design: the accelerator, and around it clock, reset and a way to the host.

    The plan is one archive with everything the tools need; it also builds on a machine without this
    program. With the tools on the PATH it runs at once: OUT gets the bitstream, build.json, manifest.json.

    **Examples**

        spec2 build build/lenet/design --board vc709 --plan-only
        spec2 build build/lenet/design --board arty_a7_100 --toolchain openxc7
        spec2 build build/lenet/design --board vcu118 --transport pcie --mhz 200 --json
        spec2 build build/lenet/design --board pynq_z2
    """
    from bitstreams import build as builder

    design = located(design, DESIGN)
    with requires("amaranth"):
        plan = builder.plan(
            design,
            board,
            toolchain=toolchain.value,
            transport=transport.value if transport else "",
            mhz=mhz,
            baud=baud,
            dsp=not no_dsp,
        )
    folder = out or design.parent / plan.manifest.board
    if plan_only:
        archive = plan.save(folder / f"{plan.name}.tar.gz")
        data = {"plan": str(archive), "digest": plan.digest, "run": plan.run, "files": list(plan.contents)}
        extract, enter = quote.shell("tar", "xzf", archive.name), quote.shell("cd", plan.name)
        unpack = quote.code(f"{extract} && {enter} && {plan.run}")
        emit(
            as_json, data, f"Wrote the plan to {quote.markdown(str(archive))}. Where the tools are: {unpack}"
        )
        return
    with progress("building") as show:
        figures = builder.build(
            plan, folder, allow_timing_fail=allow_timing_fail, progress=lambda what: show(None, None, what)
        )
    emit(
        as_json,
        figures,
        f"Built in {quote.markdown(str(folder))}.",
        table(["figure", "value"], scalars(figures)),
    )
