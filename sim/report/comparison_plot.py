"""A comparison as a picture: accuracy of the integer model against clocks, a curve per sparsity pattern."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from pathlib import Path
from textwrap import fill

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.ticker import LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from hw.util.errors import ConfigError
from hw.util.files import replacing
from hw.util.quote import mathtext
from sim.report.comparison import FAMILIES, Row, clocks_of, family
from sim.report.explore_plot import STABLE

METADATA: dict[str, dict[str, str | None]] = {".svg": {"Date": None}, ".png": {"Software": None}}
"""Formats by the file's ending, and what is left out of them so that equal rows give an equal file."""

MARKERS = "osD^vP<>Xph*"
"""One per family, in their order: kinds can be told apart without colours."""

COLOURS = 10
"""Of matplotlib's usual cycle."""

TITLE_LINE = 100
"""Characters that are not wider than the axes."""

LABEL_ROOM = [
    (radius * x, radius * y)
    for radius, y, x in product((1, 2, 3, 4, 6, 8), (0.5, -0.5, 1, -1, 0, 1.5, -1.5), (1, -1))
]
"""Positions of a label around its point, in steps of :data:`LABEL_STEP`, the nearest ones first."""

LABEL_STEP = 9
"""Points (1/72 inch)."""


def check(path: Path, accuracies: Sequence[float | None]) -> None:
    """Raise ``ConfigError`` unless ``path`` ends in .svg or .png and a model has an ``accuracy_integer``."""
    if path.suffix.lower() not in METADATA:
        raise ConfigError(f"a plot is an .svg or a .png file, not {path.name}: change its ending")
    if all(accuracy is None for accuracy in accuracies):
        raise ConfigError(
            "no model has an accuracy of the integer model, which the plot draws: 'spec2 prune' measures it, "
            "but not with --untrained"
        )


def plot(found: Sequence[Row], path: Path) -> Path:
    """Draw the rows that have an accuracy into an SVG or PNG file; returns its path.

    Clocks of one image, logarithmic, against percent of the test set, with the standard deviation of several
    trainings (:mod:`sim.report.comparison_seeds`) as a bar. Rows of one family are joined. A dotted
    line is the dense network's accuracy: that of its own integer model if it is among the rows, else in
    floating point. Raises what :func:`check` raises, ``ArtifactError`` if the place cannot be written.
    """
    check(path, [row["accuracy_integer"] for row in found])
    drawn = [row for row in found if row["accuracy_integer"] is not None]
    figure = Figure(figsize=(9, 6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes: Axes = figure.add_subplot()
    _reference(axes, drawn)
    for number, kind in enumerate(FAMILIES):
        some = sorted(
            (row for row in drawn if family(row["scheme"]) == kind), key=lambda row: int(row["cycles"])
        )
        if some:
            clocks, accuracies = ([row[key] for row in some] for key in ("cycles", "accuracy_integer"))
            colour = "black" if kind == "dense" else f"C{number % COLOURS}"
            axes.plot(clocks, accuracies, marker=MARKERS[number], color=colour, linewidth=1, label=kind)
            bars = [row.get("spread", {}).get("accuracy_integer", 0) for row in some]
            if any(bars):
                axes.errorbar(clocks, accuracies, bars, fmt="none", ecolor=colour, elinewidth=0.7, capsize=2)
    axes.set(
        xscale="log",
        xlabel="clocks per image",
        ylabel="accuracy of the integer model, %",
        title=f"{mathtext(found[0]['network'])}\n{fill(clocks_of(found).replace('`', ''), TITLE_LINE)}",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.margins(0.15)
    axes.grid(True, which="both", alpha=0.25)
    canvas.draw()  # labels avoid each other where everything lies in the end
    _label(axes, drawn, canvas)
    kind = path.suffix.lower()
    with replacing(path) as part, rc_context(STABLE):
        figure.savefig(part, format=kind.removeprefix("."), metadata=METADATA[kind])
    return path


def _reference(axes: Axes, drawn: Sequence[Row]) -> None:
    """The dense network's accuracy as a line from side to side."""
    own = [row["accuracy_integer"] for row in drawn if row["scheme"] == "dense"]
    floats = [row["accuracy_dense"] for row in drawn if row["accuracy_dense"] is not None]
    how, values = ("integer model", own) if own else ("floating point", floats)
    if values:
        axes.axhline(values[0], linestyle=":", color="black", linewidth=1, zorder=1)
        axes.annotate(
            f"dense, {how}",
            (0, values[0]),
            xycoords=("axes fraction", "data"),
            xytext=(4, 3),
            textcoords="offset points",
            fontsize="x-small",
        )


def label(row: Row) -> str:
    """What is written at the point of a row: scheme and share pruned."""
    return f"{row['scheme']} {row['share_pruned']:.0f} %" if row["share_pruned"] else str(row["scheme"])


def _label(axes: Axes, drawn: Sequence[Row], canvas: FigureCanvasAgg) -> None:
    """Every point gets the name and the share of its row, where it covers no other point or label."""
    points = axes.transData.transform([(row["cycles"], row["accuracy_integer"]) for row in drawn])
    taken = [Bbox.from_bounds(x - 6, y - 6, 12, 12) for x, y in points]
    taken += [text.get_window_extent(canvas.get_renderer()) for text in axes.texts]
    for row in drawn:
        text = axes.annotate(
            mathtext(label(row)),
            (row["cycles"], row["accuracy_integer"]),
            xytext=(0, 0),
            textcoords="offset points",
            fontsize="x-small",
            in_layout=False,
            arrowprops={"arrowstyle": "-", "linewidth": 0.5, "color": "grey", "shrinkB": 3},
        )
        taken.append(_position(text, taken, axes.bbox, canvas))


def _position(text: Annotation, taken: Sequence[Bbox], inside: Bbox, canvas: FigureCanvasAgg) -> Bbox:
    """Move ``text`` to the first position that is free, the last one if none is; returns where it is."""
    box = Bbox.null()
    for x, y in LABEL_ROOM:
        text.set(
            position=(LABEL_STEP * x, LABEL_STEP * y),
            horizontalalignment="left" if x > 0 else "right",
            verticalalignment="center",
        )
        text.update_positions(canvas.get_renderer())
        box = Text.get_window_extent(text, canvas.get_renderer())  # without its arrow
        within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
        if within and not any(box.overlaps(other) for other in taken):
            break
    return box
