"""The report on a model, written and printed: what ``spec2 report``, ``prune`` and ``demo`` end with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hw.commands.console import emit, requires
from hw.commands.models import DESIGN, MODEL


def print_report(
    folder: Path,
    design: Path | None,
    as_json: bool,
    extra: dict[str, Any] | None = None,
    more: Sequence[str] = (),
    boards: list[dict[str, Any]] | None = None,
    *,
    new_model: bool = False,
) -> None:
    """Print the report and write it, for programs, as a page of Markdown and as one of HTML.

    ``extra`` is further JSON, ``more`` further paragraphs. ``boards``: those that the page holds the design
    against, as :func:`sim.report.html.report.html` takes them. ``new_model``: as of
    :func:`sim.report.data.assemble`.
    """
    from hw.util import quote
    from sim.report.data import assemble, write
    from sim.report.page import markdown

    figures = assemble(folder, design, new_model=new_model)
    write(figures, folder)
    with requires("matplotlib", "jinja2"):
        from sim.report.html import report as page
    path = page.write(figures, folder, design, boards)
    wrote = f"With plots: {quote.markdown(str(path))}."
    if new_model and "config" not in figures and (folder / DESIGN).exists():
        again = quote.code(quote.shell("spec2", "generate", str(folder / MODEL)))
        more = (*more, f"The design that lies there is not of this model: {again} makes one that is.")
    emit(as_json, {**figures, **(extra or {})}, markdown(figures), *more, wrote)
