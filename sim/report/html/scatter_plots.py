"""Designs and models as points: how fast against what it takes, each a link to what the page says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import Bbox

from hw.util import quote
from sim.report.html.svg import Plot, plot
from sim.report.html.theme import SMALL, STAND_INS

MARKERS = "osD^vP<>Xph*"
"""So that kinds are told apart without colours."""


@dataclass(frozen=True)
class Point:
    """x, y: both axes. title: what is said of it. classes: of filters. link: id of what it leads to, ``""``
    for none. size: of its marker in pixels. kind: number of its marker. colour: by its name in the theme."""

    x: float
    y: float
    title: str
    classes: str = ""
    link: str = ""
    size: float = 6
    kind: int = 0
    colour: str = "array"
    label: str = ""


@dataclass(frozen=True)
class Line:
    """A line at ``x`` from below to above, or at ``y`` from side to side, and what it is."""

    text: str
    x: float | None = None
    y: float | None = None


def scatter(
    points: Sequence[Point],
    axes_of: tuple[str, str],
    what: str,
    *,
    lines: Sequence[Line] = (),
    logarithmic: tuple[bool, bool] = (True, True),
) -> Markup:
    """The points on axes of these names; ``what``: a sentence that says what is shown."""

    def draw(made: Plot) -> None:
        axes = made.figure.add_subplot()
        for line in lines:
            _line(axes, line)
        for point in points:
            (dot,) = axes.plot(
                point.x,
                point.y,
                MARKERS[point.kind % len(MARKERS)],
                markersize=point.size,
                color=STAND_INS[point.colour],
                markeredgecolor=STAND_INS["paper"],
                markeredgewidth=1,
            )
            made.mark(dot, point.title, f"point {point.classes}", point.link)
        axes.set(xlabel=axes_of[0], ylabel=axes_of[1])
        for axis, on, scale in (
            (axes.xaxis, logarithmic[0], axes.set_xscale),
            (axes.yaxis, logarithmic[1], axes.set_yscale),
        ):
            if on:
                scale("log")
                values = [point.x if axis is axes.xaxis else point.y for point in points]
                axis.set_major_locator(LogLocator(subs=_ticks(max(values) / min(values), made.narrow)))
                axis.set_minor_formatter(NullFormatter())
            axis.set_major_formatter(FuncFormatter(_number))
        axes.margins(0.1)
        axes.grid(True)
        axes.set_axisbelow(True)
        if not made.narrow:
            _labels(made, axes, [point for point in points if point.label])

    return plot(draw, lambda width: 460 if width > 500 else 380, what)


def _ticks(span: float, narrow: bool) -> tuple[float, ...]:
    """Where a decade has ticks, of an axis from some value to ``span`` times as much."""
    if span < 12:
        return (1, 2, 5) if narrow else (1, 1.5, 2, 3, 5, 7)
    return (1, 3) if narrow else (1, 2, 5)


def _labels(made: Plot, axes: Axes, points: Sequence[Point]) -> None:
    """Write the labels of points where they cover neither one another nor a point; the others are left to be
    pointed at."""
    if not points:
        return
    made.figure.draw_without_rendering()  # now it is known where everything lies
    centres = axes.transData.transform([(point.x, point.y) for point in points])
    taken = [
        Bbox.from_bounds(x - p.size / 2, y - p.size / 2, p.size, p.size)
        for p, (x, y) in zip(points, centres, strict=True)
    ]
    for point, (x, y) in zip(points, centres, strict=True):
        wide, high, gap = 0.58 * SMALL * len(point.label), SMALL + 2, point.size / 2 + 4
        for left, low, align in (
            (x + gap, y - high / 2, "left"),
            (x - gap - wide, y - high / 2, "right"),
            (x - wide / 2, y + gap, "center"),
            (x - wide / 2, y - gap - high, "center"),
        ):
            box = Bbox.from_bounds(left, low, wide, high)
            inside = axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1
            if inside and not any(box.overlaps(other) for other in taken):
                taken.append(box)
                anchor = {"left": left, "right": left + wide, "center": left + wide / 2}[align]
                label = axes.annotate(
                    quote.mathtext(point.label),
                    (point.x, point.y),
                    (anchor - x, low + high / 2 - y),
                    textcoords="offset points",
                    ha=align,
                    va="center",
                    fontsize=SMALL,
                    in_layout=False,
                )
                made.mark(label, point.title, point.classes)  # a filter hides it with its point
                break


def _number(value: float, _: object) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.4g}"


def _line(axes: Axes, line: Line) -> None:
    style: dict[str, Any] = {"linestyle": ":", "color": STAND_INS["muted"], "linewidth": 1.2}
    small: dict[str, Any] = {"fontsize": SMALL, "color": STAND_INS["muted"], "in_layout": False}
    text = quote.mathtext(line.text)
    if line.x is not None:
        axes.axvline(line.x, **style)
        across = axes.get_xaxis_transform()
        axes.text(line.x, 0.02, f"{text} ", transform=across, ha="right", va="bottom", rotation=90, **small)
    if line.y is not None:
        axes.axhline(line.y, **style)
        axes.text(0.01, line.y, text, transform=axes.get_yaxis_transform(), va="bottom", **small)
