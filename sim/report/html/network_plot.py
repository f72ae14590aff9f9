"""A network as a picture: its layers from above to below, and the maps that skip some of them at their
left."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch, PathPatch
from matplotlib.path import Path

from sim.report.html.svg import Plot, plot
from sim.report.html.theme import FONT, SMALL, STAND_INS

Row = dict[str, Any]

TALL, LOW, MANY = 52, 30, 24
"""Pixels of a layer; where there are more than so many of them, which then have a line of text each."""

GAP = 10
"""Pixels between two layers."""

GUTTER, TRACK = 110, 13
"""Pixels for maps that skip layers, at most; and for each of them."""


def network(graph: list[Row]) -> Markup:
    """graph: of :func:`sim.report.graph.graph`."""
    high = TALL if len(graph) <= MANY else LOW

    def draw(made: Plot) -> None:
        axes = made.fixed((0, 0, made.width, made.height))
        axes.set(xlim=(0, made.width), ylim=(made.height, 0))
        axes.set_axis_off()
        skips = _tracks(graph)
        pitch = min(TRACK, GUTTER / max(1, 1 + max(skips.values(), default=-1)))
        left = 8 + pitch * (1 + max(skips.values(), default=-1))
        for number, row in enumerate(graph):
            _layer(made, axes, row, (left, number * (high + GAP) + 3), high)
            for source in row["sources"]:
                if source == number - 1:
                    x, y = left + 26, number * (high + GAP) + 3
                    axes.annotate("", (x, y), (x, y - GAP), arrowprops=_ARROW)
        for (source, number), track in skips.items():
            _skip(axes, source, number, left, left - pitch * (track + 1), high)

    return plot(draw, len(graph) * (high + GAP) + 4, "The layers of the network and the maps that they read")


_ARROW = {
    "arrowstyle": "-|>",
    "color": STAND_INS["muted"],
    "linewidth": 1.2,
    "shrinkA": 0,
    "shrinkB": 0,
    "mutation_scale": 9,
}


def _tracks(graph: list[Row]) -> dict[tuple[int, int], int]:
    """Of every map that skips layers, (its number, its reader): how far from the layers its line runs. Lines
    that would meet have tracks of their own."""
    spans = sorted(
        ((source, number) for number, row in enumerate(graph) for source in row["sources"]
         if source != number - 1),
        key=lambda span: (span[1] - span[0], span),
    )  # fmt: skip
    found: dict[tuple[int, int], int] = {}
    for begin, end in spans:
        taken = {
            track
            for (other_begin, other_end), track in found.items()
            if begin < other_end and other_begin < end
        }
        found[begin, end] = next(track for track in range(len(spans) + 1) if track not in taken)
    return found


def _layer(made: Plot, axes: Axes, row: Row, corner: tuple[float, float], high: float) -> None:
    left, top = corner
    right = made.width - 4
    box = FancyBboxPatch(
        (left, top),
        right - left,
        high,
        boxstyle="round,pad=0,rounding_size=5",
        facecolor=STAND_INS["empty"],
        edgecolor=STAND_INS["rule"],
        linewidth=1,
    )
    shape = " × ".join(f"{size:,}" for size in row["shape"])
    made.mark(axes.add_patch(box), f"{row['name']}: {row['what']}; makes {shape}{_kept(row, '; ')}")
    kept = row.get("kept")
    if kept is not None:  # a line below, as long as the share of the words that is kept
        length = (right - left - 12) * min(100, kept) / 100
        bar = FancyBboxPatch(
            (left + 6, top + high - 5),
            max(1, length),
            2.4,
            boxstyle="square,pad=0",
            facecolor=STAND_INS["array"],
        )
        axes.add_patch(bar)
    two, inner = high >= TALL, right - left - 20
    first = top + (17 if two else high / 2 - 1)
    second = first + 19 if two else first
    muted: dict[str, Any] = {"fontsize": SMALL, "color": STAND_INS["muted"], "va": "center"}
    axes.text(left + 10, first, made.letters(row["name"], inner * 0.45, FONT), fontsize=FONT, va="center")
    axes.text(right - 10, first, shape, ha="right", fontsize=SMALL, va="center")
    if two:
        what = made.letters(row["what"], inner * (0.62 if made.narrow else 0.7), SMALL)
        axes.text(left + 10, second, what, **muted)
        axes.text(right - 10, second, _kept(row, ""), ha="right", **muted)
    elif not made.narrow:
        axes.text(left + inner * 0.3, first, made.letters(row["what"], inner * 0.4, SMALL), **muted)
        axes.text(left + inner * 0.72, first, _kept(row, ""), **muted)


def _kept(row: Row, before: str) -> str:
    return "" if row.get("kept") is None else f"{before}{row['kept']:g} % kept, {row['bits']} bits"


def _skip(axes: Axes, source: int, number: int, left: float, x: float, high: float) -> None:
    """A line from the middle of one layer to that of another, past those between."""
    begin, end = (3 + row * (high + GAP) + high / 2 for row in (source, number))
    bend = min(8, left - x)
    points = [(left, begin), (x + bend, begin), (x, begin), (x, begin + bend), (x, end - bend), (x, end),
              (x + bend, end), (left - 1, end)]  # fmt: skip
    codes = [Path.MOVETO, Path.LINETO, Path.CURVE3, Path.CURVE3, Path.LINETO, Path.CURVE3, Path.CURVE3,
             Path.LINETO]  # fmt: skip
    path = PathPatch(Path(points, codes), facecolor="none", edgecolor=STAND_INS["muted"], linewidth=1.2)
    axes.add_patch(path)
    axes.annotate("", (left, end), (left - 4, end), arrowprops=_ARROW)
