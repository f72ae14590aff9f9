"""Robustness as a picture: accuracy against the severity of corruptions, and against the area of a patch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw.util.errors import ConfigError
from hw.util.files import replacing
from hw.util.quote import mathtext
from sim.report.comparison_plot import MARKERS, METADATA
from sim.report.explore_plot import STABLE

WIDTHS = ("-", "--", ":", "-.")
"""Lines of models with the same sparsity, the widest weights first."""


def check(path: Path) -> None:
    """Raise ``ConfigError`` unless ``path`` ends in .svg or .png."""
    if path.suffix.lower() not in METADATA:
        raise ConfigError(f"a plot is an .svg or a .png file, not {path.name}: change its ending")


def plot(found: Mapping[str, Any], path: Path) -> Path:
    """Draw the result of ``spec2 robustness`` into an SVG or PNG file; returns its path.

    A colour per sparsity, a line per model. Left: the mean over all kinds of corruption, 0 for clean images.
    Right: under the patch that was learned on the model; thin and grey: under a grey one. Raises what
    :func:`check` raises.
    """
    check(path)
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    schemes = list(dict.fromkeys(row["scheme"] for row in found["models"]))
    for row in found["models"]:
        number = schemes.index(row["scheme"])
        beside = [other["weight_bits"] for other in found["models"] if other["scheme"] == row["scheme"]]
        rank = sorted(set(beside), reverse=True).index(row["weight_bits"])
        style = {
            "color": f"C{number}",
            "marker": MARKERS[number % len(MARKERS)],
            "linestyle": WIDTHS[rank % len(WIDTHS)],
            "linewidth": 1.2,
            "label": mathtext(f"{row['scheme']}, {row['weight_bits']} bits"),
        }
        _corruptions(left, row, style)
        areas = [0.0, *(100 * area for area in found["areas"])]
        right.plot(areas, [row["clean"], *row["own"]], **style)
        right.plot(areas, [row["clean"], *row["grey"]], color="grey", linewidth=0.6, zorder=1)
    left.set(xlabel="severity of noise, blur, contrast, JPEG", ylabel="accuracy of the integer model, %")
    right.set(xlabel="area of the patch, % of the image")
    right.legend(fontsize="small")
    for axes in (left, right):
        axes.grid(True, alpha=0.25)
    figure.suptitle(mathtext(found["network"]))
    with replacing(path) as part, rc_context(STABLE):
        kind = path.suffix.lower()
        figure.savefig(part, format=kind.removeprefix("."), metadata=METADATA[kind])
    return path


def _corruptions(axes: Axes, row: Mapping[str, Any], style: Mapping[str, Any]) -> None:
    kinds = list(row["corruptions"].values())
    if kinds:
        means = [mean(kind[severity] for kind in kinds) for severity in range(len(kinds[0]))]
        axes.set_xticks(range(len(means) + 1))
        axes.plot(range(len(means) + 1), [row["clean"], *means], **style)
