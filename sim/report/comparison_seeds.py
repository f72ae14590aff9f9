"""Trainings that differ in their seed alone, as one row of a comparison: mean and standard deviation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean, stdev
from typing import Any

from sim.report.comparison import PERCENT, Row

SPREAD = (*(name for name in PERCENT if name != "share_pruned"), "cycles", "cycles_batch")
"""What has a standard deviation in a row: accuracies, and clocks, which masks of one pattern differ in."""

WHOLE = ("cycles", "cycles_batch", "storage_bits", "seconds")
"""Figures that are whole numbers, and whose means are rounded to such."""

OF_ONE = ("command", "digest")
"""What belongs to one training and says nothing about several."""

SAME_SHARE = 1.0
"""Percentage points of pruned words that one training of a row has at most more than the next: what masks of
one share differ by."""


def over_seeds(found: Sequence[Row]) -> list[Row]:
    """A row for each sparsity pattern, share and width of numbers of ``found``
    (:func:`sim.report.comparison.rows`, different models), in that order.

    Figures are means over the trainings, None where one has none. ``seeds``: how many trainings.
    ``spread``: by figure, the standard deviation of a sample; nothing of a single training. ``lost``: what
    integers lose against the dense network of the same training, in percentage points.
    """
    return [_joined(rows) for rows in _trainings(found)]


def _trainings(found: Sequence[Row]) -> Iterator[list[Row]]:
    for kind in dict.fromkeys(map(_kind, found)):
        group: list[Row] = []
        for row in (row for row in found if _kind(row) == kind):
            if group and row["share_pruned"] - group[-1]["share_pruned"] > SAME_SHARE:
                yield group
                group = []
            group.append(row)
        yield group


def _kind(row: Row) -> tuple[str, int, int]:
    return row["scheme"], row["weight_bits"], row["spectrum_bits"]


def _joined(rows: list[Row]) -> Row:
    figures = [{**row, "lost": _lost(row)} for row in rows]
    joined = {name: _mean(name, [row[name] for row in figures]) for name in figures[0] if name not in OF_ONE}
    spread = {
        name: round(stdev(row[name] for row in figures), 4)
        for name in SPREAD
        if len(rows) > 1 and joined.get(name) is not None
    }
    return {**joined, "seeds": len(rows), "spread": spread}


def _lost(row: Row) -> float | None:
    dense, integer = row["accuracy_dense"], row["accuracy_integer"]
    return None if dense is None or integer is None else dense - integer


def _mean(name: str, values: list[Any]) -> Any:
    """Of figures the mean, None where one is wanting; of all else the first, which is that of all."""
    if None in values:
        return None
    if isinstance(values[0], bool | str):
        return values[0]
    return round(mean(values)) if name in WHOLE else round(mean(values), 4)
