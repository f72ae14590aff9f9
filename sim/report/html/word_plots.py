"""Words that a layer keeps: a heat map of the tile's spectrum, and how many words kernels keep."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from hw.contract.spectrum import BINS, TILE, WORDS
from sim.report.html.svg import Plot, picture
from sim.report.html.theme import MAP, SMALL, STAND_INS

SIZE = 176, 292
"""Pixels of a layer's plot."""


def layer(name: str, found: dict[str, Any]) -> Markup:
    """The plot of a layer; found: of :func:`sim.report.words.words`."""

    def draw(made: Plot) -> None:
        _map(made, made.fixed((42, 18, 130, 130)), name, found)
        _histogram(made, made.fixed((42, 166, 130, 88)), name, found["kernels"])

    return picture(draw, *SIZE, f"Words that {name} keeps: share of every word, and words of a kernel")


def _map(made: Plot, axes: Axes, name: str, found: dict[str, Any]) -> None:
    """Frequency 0 is in the middle, as is usual; of pixels the first one is above on the left."""
    spectrum = found["grid"] == "spectrum"
    most = max([share for share in found["kept"] if share is not None], default=0)
    for word, share in enumerate(found["kept"]):
        if share is None:
            continue
        for row, column in _spectrum_bins(word) if spectrum else _pixel_bins(word):
            where = f"frequency ({row}, {column})" if spectrum else f"row {row}, column {column}"
            shift = TILE // 2 - 1 if spectrum else 0
            cell = Rectangle(
                (column + shift, row + shift),
                0.94,
                0.94,
                facecolor=colormaps[MAP](share / most if most else 0),
            )
            made.mark(axes.add_patch(cell), f"{name}, word {word}, {where}: {share:g} % kept")
            cell.set_clip_on(False)
    axes.add_patch(Rectangle((0, 0), TILE, TILE, facecolor=STAND_INS["empty"], zorder=0))
    axes.set(xlim=(-0.06, TILE), ylim=(TILE, -0.06), aspect="equal")
    axes.set_axis_off()
    axes.set_title(f"0 to {most:.3g} %", fontsize=SMALL, color=STAND_INS["muted"])


def _spectrum_bins(word: int) -> list[tuple[int, int]]:
    """(row, column) of the bins that a word holds, from -3 to 4."""
    return [(_centred(own[0]), _centred(own[1])) for own in BINS[word] if own is not None]


def _centred(index: int) -> int:
    index %= TILE
    return index - TILE if index > TILE // 2 else index


def _pixel_bins(word: int) -> list[tuple[int, int]]:
    """The two pixels of a word in dot mode."""
    row, pair = divmod(word, TILE // 2)
    return [(row, 2 * pair), (row, 2 * pair + 1)]


def _histogram(made: Plot, axes: Axes, name: str, kernels: list[int]) -> None:
    total = max(1, sum(kernels))
    for words, count in enumerate(kernels):
        if count:
            (bar,) = axes.bar(words, 100 * count / total, width=1, color=STAND_INS["array"])
            made.mark(bar, f"{name}: {count:,} of {total:,} kernels keep {words} words")
    axes.set(xlim=(-0.8, max(WORDS, len(kernels) - 1) + 0.8), xlabel="words of a kernel")
    axes.set_xticks(np.arange(0, WORDS + 1, 8))
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))


def scale() -> str:
    """The colours of the heat maps from 0 on, for a style sheet."""
    steps = [to_hex(colormaps[MAP](number / 8)) for number in range(9)]
    return f"linear-gradient(90deg, {', '.join(steps)})"
