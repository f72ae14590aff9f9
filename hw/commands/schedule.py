"""``spec2 schedule``."""

from __future__ import annotations

from typing import Annotated

import typer

from hw.commands.console import emit, progress
from hw.commands.models import MODEL, located
from hw.commands.options import Json, Model
from hw.util.tables import table


def schedule(
    model: Model,
    rows: Annotated[int, typer.Option(help="N: output channels in flight, a multiple of 4.")] = 8,
    as_json: Json = False,
) -> None:
    """Show how full the array's steps are, layer by layer: what a mask costs in clocks.

    *shared*: one address for all banks, as n:m masks need. *per bank*: every bank its own. *run ahead*:
    besides, rows that finish a word early begin the next one. *executes* says which of shared and run ahead
    the array is made for, *clocks* and *utilisation* what that costs.

    **Examples**

        spec2 schedule build/lenet/model.npz
        spec2 schedule build/kernel/model.npz --rows 64 --json
    """
    from hw.compile.schedule.report import schedule_report
    from hw.contract.artifact import load
    from hw.util.processes import processors

    with progress("scheduling") as show:
        found = schedule_report(load(located(model, MODEL)), rows, processes=processors(), progress=show)
    heads = ["layer", "shared", "per_bank", "run_ahead", "bound"]
    heads += ["executes", "clocks", "utilisation"]
    emit(
        as_json,
        found,
        table([h.replace("_", " ") for h in heads], [[row[h] for h in heads] for row in found]),
    )
