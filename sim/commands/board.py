"""``spec2 board``: a virtual one."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from hw.commands.console import emit, progress, scalars
from hw.commands.models import DESIGN, located
from hw.commands.options import Design, Json
from hw.util.errors import ConfigError
from hw.util.tables import table
from sim.virtual.memory import MemoryConditions

VIRTUAL_PORT, VIRTUAL_CARD = "board", "card"
"""Inside a design: a link to the serial port of its running virtual board, and what the devices of a card
begin with."""


class Transport(StrEnum):
    """What a virtual board has towards its host."""

    uart = "uart"
    pcie = "pcie"


def board(
    design: Design = Path("build/lenet/design"),
    virtual: Annotated[
        bool, typer.Option("--virtual", help="Simulate the board: there is no other kind.")
    ] = False,
    transport: Annotated[
        Transport | None,
        typer.Option(
            help="A serial port, or sockets like the devices of a PCI Express card.",
            show_default="uart, for designs that hold their weights and have narrow streams",
        ),
    ] = None,
    most_hz: Annotated[
        int, typer.Option(help="Clocks a second at most, which leaves processor time to others; 0: no limit.")
    ] = 0,
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
    """Run a virtual board: the design and its shell, simulated, until Ctrl-C.

    What a host sends reaches the simulated pins: bit by bit behind a serial port, beat by beat behind a
    card's devices. A design that reads its weights from external memory gets memories, which *memory* options
    describe. 'spec2 classify --link virtual' finds the board, and loads the weights.

    **Examples**

        spec2 board build/lenet/design --virtual
        spec2 board build/vgg16/design --virtual --memory-latency 80 --memory-stall 64
    """
    from sim.virtual.board import VirtualBoard, run_board
    from sim.virtual.build import build_virtual

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
        rate = f", bit rate {running.baud}" if running.clocks_per_bit else f" (--link xdma:{running.path})"
        print(f"The board is at {running.path}{rate}. Ctrl-C ends it.", file=sys.stderr, flush=True)

    with progress("building the virtual board"):
        built = build_virtual(design, transport.value if transport else "")
    link = design / (VIRTUAL_PORT if built.clocks_per_bit else VIRTUAL_CARD)
    statistics = run_board(built, link, memory=memory, most_hz=most_hz, ready=ready)
    emit(as_json, statistics, table(["figure", "value"], scalars(statistics)))
