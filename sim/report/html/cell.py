"""What a notebook shows of a result: a title, figures, a table, images; HTML for a cell, not a page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.report.html.environment import fragment

Figures = Sequence[tuple[str, str, str]]
"""What, how much, and of what."""


def cell(
    title: str,
    figures: Figures = (),
    head: Sequence[str] = (),
    rows: Sequence[Sequence[Any]] = (),
    *,
    notes: Sequence[str] = (),
    alarm: str = "",
    images: Sequence[dict[str, Any]] = (),
) -> str:
    """HTML of a cell. head, rows: a table, whose first column is text and whose others are numbers. notes:
    paragraphs. alarm: what nobody may overlook. images: rows of :func:`sim.report.html.pictures.images`."""
    return fragment(
        "cell.html",
        title=title,
        figures=figures,
        head=head,
        rows=rows,
        notes=notes,
        alarm=alarm,
        images=images,
    )


def framed(page: str, height: int = 640) -> str:
    """A whole page inside a cell, ``height`` pixels of it at a time; it can neither run nor load anything."""
    return fragment("frame.html", page=page, height=height)
