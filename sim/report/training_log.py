"""``training.csv``, which ``spec2 prune`` leaves beside a model: what every epoch came to."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from hw.util import documents
from hw.util.errors import ArtifactError

FILE_NAME = "training.csv"

MOST = 1 << 20
"""Bytes: some ten thousand epochs."""

FIGURES = {"loss": 1e9, "accuracy": 100, "kept": 1}
"""Columns that are shown, beside ``phase``, and the most of each; the least is 0."""


def curves(folder: Path) -> list[dict[str, Any]]:
    """A row for every epoch of the training: ``phase`` (a word), ``loss``, ``accuracy`` (percent of the test
    set) and ``kept`` (share of all words). Nothing where there is no log, or a damaged one."""
    try:
        text = documents.read(folder / FILE_NAME, MOST).decode()
        found = [_row(row) for row in csv.DictReader(text.splitlines(), strict=True)]
    except (OSError, ArtifactError, ValueError, KeyError, TypeError, csv.Error):
        return []
    return found


def _row(row: dict[str, str]) -> dict[str, Any]:
    """Raises ``ValueError`` for what is no number, or out of its range."""
    figures = {name: float(row[name]) for name in FIGURES}
    if not all(0 <= figures[name] <= most for name, most in FIGURES.items()):
        raise ValueError("a figure is out of its range")
    return {"phase": str(row["phase"])[: documents.SHOWN], **figures}
