"""An exploration as a picture: time against DSP slices, every design that was timed, and the front."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hw.util.files import replacing
from hw.util.quote import mathtext

Row = dict[str, Any]

STABLE = {"svg.hashsalt": "spec2", "svg.fonttype": "none"}
"""Equal data give an equal file, and text stays text."""


def plot(found: Row, path: Path | str) -> Path:
    """Draw the data of ``explore.json`` into an SVG file; returns its path.

    Time of a run for ``latency``, else images per second; both axes logarithmic.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Axes = figure.add_subplot()
    latency = found["objective"] == "latency"

    def speed(design: Row) -> float:
        return float(design["ms"] if latency else design["images_per_second"])

    _points(axes, found, speed)
    _front(axes, found, speed)
    chosen = found["chosen"]
    config = chosen["config"]
    axes.plot(
        chosen["needs"]["dsp"],
        speed(chosen),
        "*",
        markersize=16,
        color="black",
        label=f"chosen: N={config['rows']} P={config['lanes']}",
    )
    axes.axvline(
        found["budget"]["dsp"],
        linestyle=":",
        color="grey",
        label=mathtext(f"DSP slices of the {found['board']}"),
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="DSP slices",
        ylabel="ms per run" if latency else "images per second",
        title=mathtext(f"{found['network']} on the {found['board']} at {found['clock_mhz']:g} MHz"),
    )
    axes.grid(True, which="both", alpha=0.25)
    axes.legend()
    path = Path(path)
    with replacing(path) as part, rc_context(STABLE):
        figure.savefig(part, format="svg", metadata={"Date": None})
    return path


def _points(axes: Axes, found: Row, speed: Callable[[Row], float]) -> None:
    timed = [design for design in found["points"] if design["fits"] and "ms" in design]
    for rows in found["space"]["rows"]:
        some = [design for design in timed if design["config"]["rows"] == rows]
        if some:
            axes.plot(
                [design["needs"]["dsp"] for design in some],
                [speed(design) for design in some],
                ".",
                alpha=0.5,
                label=f"N = {rows}",
            )


def _front(axes: Axes, found: Row, speed: Callable[[Row], float]) -> None:
    """A line for every width of weights: the best of the designs whose weights are no narrower."""
    sign = 1 if found["objective"] == "latency" else -1
    for bits in sorted({design["weight_bits"] for design in found["front"]}):
        kept: list[Row] = []
        for design in sorted(
            found["front"], key=lambda design: (design["needs"]["dsp"], sign * speed(design))
        ):
            faster = not kept or sign * speed(design) < sign * speed(kept[-1])
            if design["weight_bits"] >= bits and faster:
                kept.append(design)
        axes.plot(
            [design["needs"]["dsp"] for design in kept],
            [speed(design) for design in kept],
            "-",
            linewidth=1,
            label=f"front, {bits} bits and more",
        )
