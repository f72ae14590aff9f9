"""``spec2 board``: a virtual one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hw.commands.console import emit, progress, scalars
from hw.commands.models import DESIGN, located
from hw.commands.options import Design, Json
from hw.util.errors import ConfigError
from hw.util.tables import table

VIRTUAL_PORT = "board"
"""Inside a design: a link to the serial port of its running virtual board."""


def board(
    design: Design = Path("build/lenet/design"),
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Simulate the board: there is no other kind.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Run a virtual board: the design and its shell, simulated, behind a serial port, until Ctrl-C.

    What a host sends reaches the simulated pins bit by bit. 'spec2 classify --link virtual' finds it.

    **Example**

        spec2 board build/lenet/design --virtual
    """
    from sim.virtual.board import VirtualBoard, run_board

    if not virtual:
        raise ConfigError("only virtual boards are run here: say --virtual, or 'spec2 deploy' for a real one")

    design = located(design, DESIGN)

    def ready(running: VirtualBoard) -> None:
        print(
            f"The board is at {running.path}, bit rate {running.baud}. Ctrl-C ends it.",
            file=sys.stderr,
            flush=True,
        )

    with progress("building the virtual board"):
        from sim.virtual.build import build_board

        build_board(design)
    statistics = run_board(design, link=design / VIRTUAL_PORT, ready=ready)
    emit(as_json, statistics, table(["figure", "value"], scalars(statistics)))
