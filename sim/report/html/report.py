"""``report.html``: a model and its design on one page, from the same data as ``report.md``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.util import files
from sim.report.html import pictures, views
from sim.report.html.confusion_plot import MOST_CLASSES, confusion
from sim.report.html.environment import render
from sim.report.html.network_plot import network
from sim.report.html.run_plots import memory, timeline
from sim.report.html.training_plots import accuracy, curves
from sim.report.html.word_plots import layer, scale
from sim.rtl import answers

Row = dict[str, Any]


FILE_NAME = "report.html"


def write(report: Row, folder: Path, design: Path | None = None, boards: list[Row] | None = None) -> Path:
    """Write the page of a report into ``folder``, with the images that were simulated on the design in
    ``design`` (by default ``folder/design``); returns its path. Raises ``ArtifactError`` if it cannot be
    written.
    """
    found = answers.load(design or folder / "design") if report["images"] else None
    path = files.inside(folder, FILE_NAME)
    files.write(path, html(report, found.images if found else None, boards))
    return path


def html(report: Row, pixels: NDArray[np.uint8] | None = None, boards: list[Row] | None = None) -> str:
    """The page for a report of :func:`sim.report.data.assemble`.

    pixels: (k, c, h, w) of the first images that were simulated. boards: ``name``, ``title`` and ``budget``
    (resource to count) of each that the design is held against.
    """
    stages, resources = report.get("stages"), report.get("resources")
    matrix = report["confusion"]
    measured = views.accuracies(report["accuracy"])
    return render(
        "report.html",
        report=report,
        key_figures=views.key_figures(report),
        network=network(report["graph"]),
        clocks=views.clocks(stages) if stages else None,
        parts=views.PARTS,
        timeline=timeline(stages) if stages else None,
        occupancy=views.occupancy(stages) if stages else None,
        memory=memory(stages, [row["name"] for row in report["graph"]])
        if stages and stages["memory"]
        else None,
        words=[
            (row, report["words"][row["name"]], layer(row["name"], report["words"][row["name"]]))
            for row in report["graph"][1:]
            if report["words"][row["name"]]["grid"] != "weight"
        ],
        scale=scale(),
        accuracy=accuracy(measured) if measured else None,
        curves=curves(report["training"]["curves"]) if report["training"]["curves"] else None,
        confusion=confusion(matrix["counts"]) if matrix and len(matrix["counts"]) <= MOST_CLASSES else None,
        images=pictures.images(report["images"], pixels) if pixels is not None else [],
        boards=views.boards(resources, boards) if resources and boards else [],
        resource_names=views.heads(resources) if resources else [],
    )
