"""``explore.html``: the designs of a search as points, each with its layers and the command that makes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hw.cost.stages import WHAT
from hw.util import files, quote
from sim.report.explore_page import SPEED
from sim.report.html.environment import render
from sim.report.html.filters import Filter, filter_of
from sim.report.html.scatter_plots import Line, Point, scatter

FILE_NAME = "explore.html"

MOST_POINTS = 600
"""Designs behind the front that are drawn; of more, every so many."""

Row = dict[str, Any]

Filters = tuple[Filter, Filter]
"""Of rows, and of bits."""


def write(found: Row, folder: Path, model: str) -> Path:
    """Write the page of ``explore.json`` into ``folder``; returns its path. model: that designs are generated
    for. Raises ``ArtifactError`` if it cannot be written."""
    path = folder / FILE_NAME
    files.write(path, html(found, model))
    return path


def html(found: Row, model: str) -> str:
    """The page for the data of :func:`hw.explore.report.report`."""
    chosen = _number_of_chosen(found)
    fitting = [design for design in found["points"] if design["fits"]]
    filters = (
        filter_of("rows N", "rows", sorted(design["config"]["rows"] for design in fitting)),
        filter_of("bits of a weight", "bits", sorted(design["weight_bits"] for design in fitting)),
    )
    return render(
        "explore.html",
        found=found,
        plot=_plot(found, chosen, filters),
        filters=filters,
        designs=[_design(found, number, filters, model) for number in range(len(found["front"]))],
        chosen=chosen,
        stages=WHAT,
    )


def _number_of_chosen(found: Row) -> int | None:
    """Which design of the front was chosen."""
    chosen = found["chosen"]
    same = (
        number
        for number, design in enumerate(found["front"])
        if (design["config"], design["weight_bits"]) == (chosen["config"], chosen["weight_bits"])
    )
    return next(same, None)


def _plot(found: Row, chosen: int | None, filters: Filters) -> Markup:
    key = SPEED[found["objective"]]
    timed = [design for design in found["points"] if design["fits"] and key in design]
    every = max(1, -(-len(timed) // MOST_POINTS))

    def point(design: Row, link: str, size: float, colour: str) -> Point:
        kind = filters[0].values.index(design["config"]["rows"])
        where, classes = (design["needs"]["dsp"], design[key]), _classes(design, filters)
        return Point(*where, _title(design), classes, link, size, kind, colour)

    points = [point(design, "", 5, "idle") for design in timed[::every]]
    for number, design in enumerate(found["front"]):
        size, colour = (11, "fetch") if number == chosen else (8, "array")
        points.append(point(design, f"design-{number}", size, colour))
    edge = Line(f"DSP slices of the {found['board']}", x=found["budget"]["dsp"])
    label = "ms per run" if key == "ms" else "images per second"
    what = f"Designs of a search: {label} against DSP slices"
    return scatter(points, ("DSP slices", label), what, lines=[edge])


def _classes(design: Row, filters: Filters) -> str:
    rows, bits = filters
    return f"{rows.class_of(design['config']['rows'])} {bits.class_of(design['weight_bits'])}"


def _title(design: Row) -> str:
    config, needs, bits = design["config"], design["needs"], design["weight_bits"]
    speed = f"{design['ms']:.4g} ms, {design['op_per_dsp_cycle']:.2f} operations per DSP slice and clock"
    return (
        f"N = {config['rows']}, P = {config['lanes']}, batch {config['batch']}, {bits} bits: "
        f"{speed}; {needs['dsp']:,g} DSP, {needs['bram36']:,g} RAMB36, {needs['lut']:,g} LUT"
    )


def _design(found: Row, number: int, filters: Filters, model: str) -> Row:
    """What the page says of a design of the front."""
    design = found["front"][number]
    budget = found["budget"]
    return {
        **design,
        "id": f"design-{number}",
        "classes": _classes(design, filters),
        "use": [
            {
                "text": found["labels"][name],
                "need": need,
                "have": budget[name],
                "percent": 100 * need / budget[name] if budget[name] else 100,
            }
            for name, need in design["needs"].items()
            if name in budget
        ],
        "command": command(design["config"], model),
    }


def command(config: Row, model: str) -> str:
    """What a shell makes the design with: its configuration goes in as a file would."""
    text = json.dumps({"config": config}, separators=(",", ":"))
    generate = quote.shell("spec2", "generate", model, "--config", "/dev/stdin")
    return f"echo {quote.shell(text)} | {generate}"
