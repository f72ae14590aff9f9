"""What the jobs of a sweep measured: mean and standard deviation over the seeds, case by case."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import Any

from pruning.training.sweep.engine import Outcome

LOST = "lost"
"""Percentage points from the dense network to the integers, of every seed by itself."""


def spread(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """A row for each case: ``case``, ``seeds`` that were measured, and by what was measured its ``mean`` and
    ``stdev`` (None of a single seed)."""
    rows = []
    for case in dict.fromkeys(outcome.job.case for outcome in outcomes):
        found = [o.measured for o in outcomes if o.job.case == case and not o.error]
        names = [name for name in (found[0] if found else {}) if all(name in row for row in found)]
        values = {name: [row[name] for row in found] for name in names}
        if {"dense", "integer"} <= set(values):
            pairs = zip(values["dense"], values["integer"], strict=True)
            values[LOST] = [dense - integer for dense, integer in pairs]
        measured = {
            name: {
                "mean": round(mean(of), 4),
                "stdev": round(stdev(of), 4) if len(of) > 1 else None,
            }
            for name, of in values.items()
        }
        rows.append({"case": case or "the recipe", "seeds": len(found), "measured": measured})
    return rows


def cells(rows: Sequence[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Head and rows of a table."""
    names = list(dict.fromkeys(name for row in rows for name in row["measured"]))
    body = []
    for row in rows:
        shown = [_shown(row["measured"].get(name)) for name in names]
        body.append([row["case"], str(row["seeds"]), *shown])
    return ["case", "seeds", *names], body


def _shown(value: dict[str, float | None] | None) -> str:
    if value is None:
        return "-"
    return f"{value['mean']:.2f}" + (f" ± {value['stdev']:.2f}" if value["stdev"] is not None else "")
