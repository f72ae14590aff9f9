"""``spec2.report``: the page about a model and its design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bitstreams.commands.api.design import Design
from bitstreams.commands.api.model import Model, model_of
from bitstreams.commands.report import known_boards
from hw.commands.console import requires


@dataclass(frozen=True)
class Report:
    """A page. path: of ``report.html``, which opens from disk and loads nothing. figures: what is in it,
    plain data, as in ``report.json``."""

    path: Path
    figures: dict[str, Any]

    def __repr__(self) -> str:
        return f"<spec2.Report {self.path}>"

    def _repr_html_(self) -> str:
        from bitstreams.commands.api import shown

        return shown.page(self.path)


def report(model: Model | Design | Path | str, design: Design | Path | str | None = None) -> Report:
    """Write ``report.json``, ``report.md`` and ``report.html``, as ``spec2 report`` does.

    model: or a design whose folder lies in its model's. design: by default ``design`` beside the model.
    Raises ``DigestMismatch`` for a design of other weights.
    """
    from sim.report.data import assemble, write

    if isinstance(model, Design):
        model, design = model.folder.parent, design or model
    found = model_of(model)
    folder = design.folder if isinstance(design, Design) else Path(design) if design is not None else None
    figures = assemble(found.folder, folder)
    write(figures, found.folder)
    with requires("matplotlib", "jinja2"):
        from sim.report.html import report as page
    return Report(page.write(figures, found.folder, folder, known_boards()), figures)
