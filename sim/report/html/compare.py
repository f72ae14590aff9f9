"""``spec2 compare --page``: models of one network as points, accuracy against clocks, as large as what they
store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from hw.util import files
from sim.report.comparison import DECIMALS, FAMILIES, HEADS, Row, clocks_of, deviation, family
from sim.report.html.environment import render
from sim.report.html.filters import Filter, filter_of
from sim.report.html.scatter_plots import Line, Point, scatter

LEAST, MOST = 6, 26
"""Pixels of a point: of hardly any bits, and of the most among the rows."""


def write(found: list[Row], path: Path) -> Path:
    """Write the page of the rows of :func:`sim.report.comparison.rows`. Raises ``ArtifactError`` if it cannot
    be written."""
    files.write(path, html(found))
    return path


def html(found: list[Row]) -> str:
    """The page."""
    heads = {key: head for key, head in HEADS.items() if any(row.get(key) is not None for row in found)}
    patterns = filter_of("sparsity", "pattern", (family(row["scheme"]) for row in found))
    return render(
        "compare.html",
        network=found[0]["network"],
        clocks=clocks_of(found).replace("`", ""),
        plot=_plot(found, patterns),
        filters=[patterns],
        heads=list(heads.values()),
        rows=[
            {
                "id": f"model-{number}",
                "classes": patterns.class_of(family(row["scheme"])),
                "cells": [_cell(key, row.get(key)) + deviation(row, key) for key in heads],
                "command": row.get("command"),
            }
            for number, row in enumerate(found)
        ],
    )


def _cell(key: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return (
        f"{value:,.{DECIMALS[key]}f}"
        if key in DECIMALS
        else f"{value:,.4g}"
        if value < 1e3
        else f"{value:,.0f}"
    )


def _plot(found: list[Row], patterns: Filter) -> Markup | None:
    """Points of rows that have an accuracy; None where none has."""
    drawn = [(number, row) for number, row in enumerate(found) if row.get("accuracy_integer") is not None]
    if not drawn:
        return None
    most = max(row.get("storage_bits") or 1 for _, row in drawn)
    points = []
    for number, row in drawn:
        kind, bits = family(row["scheme"]), row.get("storage_bits")
        size = LEAST + (MOST - LEAST) * ((bits or 0) / most) ** 0.5
        stored = f", {bits / 8:,.0f} bytes of weights" if bits else ""
        name = f"{row['scheme']} {row['share_pruned']:.0f} %" if row["share_pruned"] else row["scheme"]
        accuracy = f"{row['accuracy_integer']:.2f}{deviation(row, 'accuracy_integer')} %"
        title = f"{name} pruned: {accuracy}, {row['cycles']:,.0f} clocks{stored}"
        points.append(
            Point(
                row["cycles"],
                row["accuracy_integer"],
                title,
                patterns.class_of(kind),
                f"model-{number}",
                size,
                FAMILIES.index(kind) if kind in FAMILIES else len(FAMILIES),
                label=name,
            )
        )
    dense = [row["accuracy_dense"] for row in found if row.get("accuracy_dense") is not None]
    lines = [Line("dense, floating point", y=dense[0])] if dense else []
    axes = "clocks of an image", "accuracy of the integer model, %"
    label = "Models: accuracy against clocks, points as large as their weights"
    return scatter(points, axes, label, lines=lines, logarithmic=(True, False))
