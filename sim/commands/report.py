"""``spec2 report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hw.commands.console import emit
from hw.commands.models import DESIGN, located
from hw.commands.options import Json


def report(
    folder: Annotated[Path, typer.Argument(help="Folder with model.npz, or zoo:NAME.")] = Path("build/lenet"),
    design: Annotated[Path | None, typer.Option(help="Design folder. [default: FOLDER/design]")] = None,
    as_json: Json = False,
) -> None:
    """Assemble accuracy, cycles, resources and storage into report.json and report.md, and print them.

    **Examples**

        spec2 report
        spec2 report build/lenet --design build/lenet/big --json
    """
    print_report(located(folder), design and located(design, DESIGN), as_json)


def print_report(
    folder: Path,
    design: Path | None,
    as_json: bool,
    extra: dict[str, Any] | None = None,
    more: Sequence[str] = (),
) -> None:
    """Print the report and write it; ``extra`` is further JSON, ``more`` further paragraphs."""
    from sim.report.data import assemble, write
    from sim.report.page import markdown

    figures = assemble(folder, design)
    write(figures, folder)
    emit(as_json, {**figures, **(extra or {})}, markdown(figures), *more)
