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
from sim.virtual.memory import MemoryConditions

VIRTUAL_PORT = "board"
"""Inside a design: a link to the serial port of its running virtual board."""


def board(
    design: Design = Path("build/lenet/design"),
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Simulate the board: there is no other kind.")
    ] = False,
    memory_latency: Annotated[
        int, typer.Option(help="Clocks from an address to memory's first beat.")
    ] = MemoryConditions.latency,
    memory_stall: Annotated[
        int, typer.Option(help="Of 256 clocks, in how many a channel of memory stands still.")
    ] = MemoryConditions.stall,
    memory_refresh_period: Annotated[
        int, typer.Option(help="Clocks from one refresh to the next; 0 for none.")
    ] = MemoryConditions.refresh_period,
    memory_refresh_clocks: Annotated[
        int, typer.Option(help="Clocks of a refresh.")
    ] = MemoryConditions.refresh_clocks,
    memory_errors: Annotated[
        int, typer.Option(help="Of a million bursts, how many memory answers with an error.")
    ] = MemoryConditions.errors,
    memory_seed: Annotated[int, typer.Option(help="Of stalls and errors.")] = MemoryConditions.seed,
    as_json: Json = False,
) -> None:
    """Run a virtual board: the design and its shell, simulated, behind a serial port, until Ctrl-C.

    What a host sends reaches the simulated pins bit by bit. 'spec2 classify --link virtual' finds it.
    A design that reads its weights from external memory gets memories, which *memory* options describe.

    **Example**

        spec2 board build/lenet/design --virtual
    """
    from sim.virtual.board import VirtualBoard, run_board

    if not virtual:
        raise ConfigError("only virtual boards are run here: say --virtual, or 'spec2 deploy' for a real one")

    memory = MemoryConditions(
        memory_latency,
        memory_stall,
        memory_refresh_period,
        memory_refresh_clocks,
        memory_errors,
        memory_seed,
    )
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
    statistics = run_board(design, link=design / VIRTUAL_PORT, memory=memory, ready=ready)
    emit(as_json, statistics, table(["figure", "value"], scalars(statistics)))
