"""``spec2 report``: in ``bitstreams``, because its page has every board."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hw.commands.models import DESIGN, located
from hw.commands.options import Json
from sim.commands.printed_report import print_report


def report(
    folder: Annotated[Path, typer.Argument(help="Folder with model.npz, or zoo:NAME.")] = Path("build/lenet"),
    design: Annotated[Path | None, typer.Option(help="Design folder. [default: FOLDER/design]")] = None,
    as_json: Json = False,
) -> None:
    """Assemble accuracy, cycles, resources and storage into report.json, report.md and report.html.

    Prints the second. The third is one page for a browser, which loads nothing: network, clocks of every
    layer, a run over time, feature memory, words kept, training, simulated images, every board's resources.

    **Examples**

        spec2 report
        spec2 report build/lenet --design build/lenet/big --json
    """
    design = design and located(design, DESIGN)
    print_report(located(folder), design, as_json, boards=known_boards())


def known_boards() -> list[dict[str, Any]]:
    """Every board as a report's page takes it: ``name``, ``title`` and ``budget``."""
    from bitstreams.boards import BOARDS

    return [
        {"name": board.name, "title": board.title, "budget": dict(board.budget)} for board in BOARDS.values()
    ]
