"""Tables in Markdown, for pages, reports and the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from hw.util.quote import markdown


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table of plain text; columns of numbers are set flush right, None is an empty cell."""
    head = [markdown(title) for title in head]
    body = [[_cell(cell) for cell in row] for row in rows]
    numeric = [all(re.fullmatch(r"[\d.,-]*", row[i]) for row in body) for i in range(len(head))]
    body = [[markdown(cell) for cell in row] for row in body]
    lines = [head, ["---:" if number else "---" for number in numeric], *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: Any) -> str:
    """A number with thousands separated, at most six digits of a fraction; other things as they are."""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
