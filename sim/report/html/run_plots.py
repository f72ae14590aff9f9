"""A run over time: which stage had which layer, and which map lay in which lines of the feature memory."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hw.util import quote
from sim.report.html.svg import Plot, plot
from sim.report.html.theme import PAPER, SMALL, STAND_INS
from sim.report.stages import STAGES

LANE = 34
"""Pixels of a lane of the timeline."""

Row = dict[str, Any]


def timeline(stages: Row) -> Markup:
    """Fetch, array and output by the cost model; below, where the hardware counted, layer after layer, unless
    layers alternate: of them it counts the clocks of all their bands together."""
    below = stages["counted"] and not stages["row_bands"]
    lanes = [*STAGES, *(["counted"] if below else [])]

    def draw(made: Plot) -> None:
        axes = made.figure.add_subplot()
        for height, lane in enumerate(lanes):
            for number, layer in enumerate(stages["layers"]):
                for begin, end in _spans(stages, number, lane):
                    title = f"{layer['name']}, {lane}: clocks {begin:,} to {end:,}, {end - begin:,} in all"
                    colour = STAND_INS["idle" if lane == "counted" else lane]
                    box = begin, height, end - begin
                    _box(made, axes, box, 0.36, colour, (layer["name"], title), stages["clocks"])
        _clocks(axes, stages["clocks"], made.narrow)
        axes.set(ylim=(len(lanes) - 0.45, -0.55), yticks=range(len(lanes)), yticklabels=lanes)
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    return plot(
        draw, LANE * len(lanes) + 60, "Which stage was at work on which layer, over the clocks of a run"
    )


def _spans(stages: Row, number: int, lane: str) -> list[tuple[int, int]]:
    if lane != "counted":
        spans: list[tuple[int, int]] = stages["layers"][number]["spans"][lane]
        return spans
    begin = 1 + stages["load"] + sum(layer["clocks"] for layer in stages["layers"][:number])
    return [(begin, begin + stages["layers"][number]["clocks"])]


def memory(stages: Row, names: list[str]) -> Markup:
    """The lines of every map of a full batch, from its first pixel to its last reader. names: of the maps."""
    found = stages["memory"]

    def draw(made: Plot) -> None:
        axes = made.figure.add_subplot()
        for number, its in enumerate(found["maps"]):
            name = names[its["map"]]
            colour = STAND_INS["tint2" if number % 2 else "tint"]
            for part, (base, lines) in enumerate(its["parts"]):
                title = (
                    f"{name}: lines {base:,} to {base + lines:,}, clocks {its['begin']:,} to {its['end']:,}"
                )
                box = its["begin"], base + lines / 2, its["end"] - its["begin"]
                label = "" if part or lines < found["lines"] / 25 else name
                _box(made, axes, box, lines / 2, colour, (label, title), stages["clocks"])
        _clocks(axes, stages["clocks"], made.narrow)
        axes.set(ylim=(0, found["lines"]), ylabel="line")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))

    return plot(draw, lambda width: 320 if width > 500 else 260, "Lines of the feature memory over a run")


def _box(
    made: Plot,
    axes: Axes,
    box: tuple[float, float, float],
    half: float,
    colour: str,
    words: tuple[str, str],
    clocks: int,
) -> None:
    """A box (begin, middle, length), twice ``half`` high, that its name is written in where there is room;
    words: name, and what is said of it."""
    begin, middle, length = box
    patch = Rectangle(
        (begin, middle - half), length, 2 * half, facecolor=colour, edgecolor=PAPER, linewidth=1
    )
    made.mark(axes.add_patch(patch), words[1])
    room = length / clocks * (made.width - 90)
    if 0.58 * SMALL * len(words[0]) < room - 6:
        axes.text(
            begin + length / 2,
            middle,
            quote.mathtext(words[0]),
            ha="center",
            va="center",
            fontsize=SMALL,
            color=STAND_INS["onarray" if colour == STAND_INS["array"] else "label"],
            clip_on=True,
            in_layout=False,
        )


def _clocks(axes: Axes, clocks: int, narrow: bool) -> None:
    axes.set(xlim=(0, clocks), xlabel="clocks of a full batch")
    axes.xaxis.set_major_locator(MaxNLocator(3 if narrow else 8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
