"""What training came to: accuracy at every step, and the curves of its epochs."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hw.util import quote
from sim.report.html.svg import Plot, plot
from sim.report.html.theme import SMALL, STAND_INS

PANELS = (("accuracy", "accuracy, %", False), ("loss", "loss", True))
"""Column of the log, what it is called, whether its axis is logarithmic."""

LONGEST = 300
"""Epochs; of longer trainings every so many."""


def accuracy(steps: list[tuple[str, float]]) -> Markup:
    """steps: what was measured, and percent of the test set."""

    def draw(made: Plot) -> None:
        axes = made.figure.add_subplot()
        for number, (name, percent) in enumerate(steps):
            (dot,) = axes.plot(percent, number, "o", markersize=9, color=STAND_INS["array"])
            made.mark(dot, f"{name}: {percent:.2f} %")
            axes.annotate(
                f"{percent:.2f}", (percent, number), (0, 9), textcoords="offset points", ha="center"
            )
        names = [made.letters(name, made.width * 0.45, SMALL) for name, _ in steps]
        axes.set(ylim=(len(steps) - 0.5, -0.8), yticks=range(len(steps)), yticklabels=names)
        axes.set(xlabel="% of the test images")
        axes.margins(x=0.15)
        axes.xaxis.set_major_locator(MaxNLocator(4 if made.narrow else 8))
        axes.grid(True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)

    return plot(draw, 44 * len(steps) + 56, "Accuracy at every step, percent of the test images")


def curves(rows: list[dict[str, Any]]) -> Markup:
    """Accuracy and loss over the epochs, phase by phase; rows: of :func:`sim.report.training_log.curves`."""
    every = -(-len(rows) // LONGEST)
    kept = [(epoch, row) for epoch, row in enumerate(rows, 1) if epoch % every == 0 or epoch == len(rows)]

    def draw(made: Plot) -> None:
        shape = (2, 1) if made.narrow else (1, 2)
        for axes, panel in zip(made.figure.subplots(*shape), PANELS, strict=True):
            _panel(made, axes, kept, panel)

    return plot(
        draw, lambda width: 300 if width > 500 else 480, "Accuracy and loss over the epochs of training"
    )


def _panel(
    made: Plot, axes: Axes, rows: list[tuple[int, dict[str, Any]]], panel: tuple[str, str, bool]
) -> None:
    key, label, logarithmic = panel
    logarithmic = logarithmic and all(row[key] > 0 for _, row in rows)
    size = 3 if len(rows) > 60 else 5
    for number, (phase, group) in enumerate(groupby(rows, key=lambda item: item[1]["phase"])):
        some = list(group)
        first = some[0][0] - 0.5
        if number % 2:
            axes.axvspan(first, some[-1][0] + 0.5, color=STAND_INS["rule"], alpha=0.35)
        axes.plot(
            [epoch for epoch, _ in some], [row[key] for _, row in some], color=STAND_INS["array"], linewidth=1
        )
        for epoch, row in some:
            (dot,) = axes.plot(epoch, row[key], "o", markersize=size, color=STAND_INS["array"])
            made.mark(dot, f"epoch {epoch}, {phase}: {label.removesuffix(', %')} {row[key]:.4g}")
        axes.text(
            first,
            1.01,
            quote.mathtext(phase[:18]),
            transform=axes.get_xaxis_transform(),
            fontsize=SMALL - 1.5,
            color=STAND_INS["muted"],
            rotation=25,
            va="bottom",
            in_layout=False,
        )
    axes.set_title(" ", pad=22)  # room for the phases
    axes.set(xlabel="epoch", ylabel=label, yscale="log" if logarithmic else "linear")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.grid(True, axis="y")
