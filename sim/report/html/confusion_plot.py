"""Which class was taken for which."""

from __future__ import annotations

from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle

from sim.report.html.svg import Plot, plot
from sim.report.html.theme import MAP, SMALL, STAND_INS

MOST_CLASSES = 20
"""More do not fit onto a page as cells that can be read."""

SIDE = 460
"""Pixels of the matrix on a wide page."""


def confusion(counts: list[list[int]]) -> Markup:
    """counts: a row for every label, a column for every class that was chosen; at most
    :data:`MOST_CLASSES`. Brighter is more of a label's images."""

    def draw(made: Plot) -> None:
        axes = made.figure.add_subplot()
        colours = colormaps[MAP]
        classes = len(counts)
        size = min(SMALL + 1, 0.5 * (made.width - 40) / classes)
        for label, row in enumerate(counts):
            total = max(1, sum(row))
            for chosen, count in enumerate(row):
                _cell(made, axes, (label, chosen), count, total, colours, size)
        axes.set(xlim=(0, classes), ylim=(classes, 0), aspect="equal", xlabel="chosen", ylabel="label")
        ticks = [number + 0.5 for number in range(classes)]
        axes.set(xticks=ticks, xticklabels=range(classes), yticks=ticks, yticklabels=range(classes))
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)

    label = "Which class was taken for which"
    return plot(draw, lambda width: width, label, wide=SIDE)


def _cell(
    made: Plot,
    axes: Axes,
    where: tuple[int, int],
    count: int,
    total: int,
    colours: Colormap,
    size: float,
) -> None:
    label, chosen = where
    share = count / total
    colour = colours(share) if count else STAND_INS["empty"]
    cell = axes.add_patch(Rectangle((chosen + 0.03, label + 0.03), 0.94, 0.94, facecolor=colour))
    what = "as labelled" if label == chosen else f"taken for {chosen}"
    made.mark(cell, f"label {label}, {what}: {count:,} of {total:,} images")
    if count:
        text = "#ffffff" if share < 0.5 else "#000000"
        axes.text(
            chosen + 0.5, label + 0.5, f"{count:,}", ha="center", va="center", fontsize=size, color=text
        )
