"""``spec2 synth``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from hw.commands.console import emit, progress
from hw.commands.models import DESIGN, located
from hw.commands.options import Design, Json
from hw.util.tables import table


class Family(StrEnum):
    """Device families ``spec2 synth`` maps to."""

    xc7 = "xc7"
    xcup = "xcup"


def synth(
    design: Design,
    family: Annotated[Family, typer.Option(help="7 series or UltraScale+.")] = Family.xc7,
    paths: Annotated[
        bool, typer.Option("--paths", help="Also report logic levels and the largest fan-outs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Synthesise with yosys: count cells, and refuse latches, loops and wires with two drivers.

    Takes minutes for a large design; needs no vendor tool. Logic levels are LUTs between two registers: what
    a netlist can say of the clock that a design reaches, before it is placed and routed.

    **Examples**

        spec2 synth build/lenet/design
        spec2 synth build/lenet/design --paths
        spec2 synth build/lenet/design --family xcup --json
    """
    from bitstreams.boards.budget import needs
    from bitstreams.synthesis.yosys import synthesise
    from hw.contract.design import DesignInfo

    design = located(design, DESIGN)
    with progress("synthesising") as show:
        result = synthesise(
            design, family=family.value, paths=paths, progress=lambda what: show(None, None, what)
        )
    estimated = needs(DesignInfo.load(design).estimates)
    rows = [(name, estimated.get(name), count) for name, count in result.resources.items()]
    parts = [table(["resource", "estimate", "yosys"], rows)]
    if result.paths:
        levels = [(count, inputs) for count, inputs in result.paths.levels.items()]
        worst = [(path.levels, path.start, path.end) for path in result.paths.worst]
        parts += [
            table(["LUT levels", "register inputs"], levels),
            table(["LUT levels", "from", "to"], worst),
            table(["net", "loads"], result.paths.fanout),
        ]
        if result.paths.unregistered:
            parts.append(
                table(["block RAM without output register"], [(said,) for said in result.paths.unregistered])
            )
    emit(as_json, result.to_json(), *parts)
