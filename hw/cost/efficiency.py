"""What a design makes of what it takes: operations per clock of every kind of resource.

DSP slices alone flatter a design whose multiplexers and memories are large: the other two stand beside them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

HEADS = {
    "op_per_dsp_cycle": "op/DSP/clk",
    "op_per_lut_cycle": "op/LUT/clk",
    "op_per_bram36_cycle": "op/BRAM36/clk",
}
"""Heads of columns, by the names that files have."""

COUNTS = {"op_per_dsp_cycle": "dsp", "op_per_lut_cycle": "lut", "op_per_bram36_cycle": "bram36"}
"""The resource that each divides by, by the name that estimates and synthesis use."""

DIGITS = 4
"""After the point, in files of results."""

CONVOLUTIONS_ONLY = "convolutions only"
"""What is said of a network that has no classifier: others count theirs."""


def per_cycle(operations: float, cycles: float, needs: Mapping[str, float]) -> dict[str, float | None]:
    """``operations`` (dense-equivalent) over ``cycles`` and each of ``needs``, by the names of :data:`HEADS`.

    None where nobody counted the resource, or where the design has none of it.
    """
    return {
        name: operations / (cycles * count) if (count := needs.get(kind)) else None
        for name, kind in COUNTS.items()
    }


def rounded(figures: Mapping[str, float | None]) -> dict[str, float | None]:
    """The same with :data:`DIGITS` digits."""
    return {name: None if its is None else round(its, DIGITS) for name, its in figures.items()}


def sentence(figures: Mapping[str, Any], what: str = "") -> str:
    """The three for people, of ``what`` is counted: ``16.47 operations per DSP slice and clock, ...``.

    ``figures``: of a file that may lack the last two.
    """
    said = [" ".join(filter(None, (f"{figures['op_per_dsp_cycle']:.2f}", what, "per DSP slice and clock")))]
    if (lut := figures.get("op_per_lut_cycle")) is not None:
        said.append(f"{lut:.3f} per LUT")
    if (bram36 := figures.get("op_per_bram36_cycle")) is not None:
        said.append(f"{bram36:.2f} per RAMB36 block")
    return ", ".join(said)
