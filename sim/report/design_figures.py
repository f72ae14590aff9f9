"""Figures of a design and of its simulation: DSP slices, clocks, how busy the array is.

Figures
    *op_per_dsp_cycle*: dense-equivalent operations (two per multiply-add of the network before pruning, as
    spatial convolutions) of a full batch, over every DSP slice of the design times the clocks of that run;
    *op_per_lut_cycle* and *op_per_bram36_cycle*: the same over LUTs and RAMB36 blocks.
    *occupancy*: ``steps`` is the share of a run's clocks in which the array executed a step,
    ``multipliers`` the share of row slots in these steps that hold a non-zero weight, ``lanes`` the
    share of lanes that hold a tile.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hw.contract import results
from hw.contract.design import DesignInfo
from hw.util.errors import ArtifactError, DigestMismatch
from sim.rtl.verify import Verification

COUNTED = ("dsp", "bram36", "uram", "lut", "ff")
"""Resources, by the names that estimates and synthesis use."""


def design_of(digest: str, folder: Path) -> DesignInfo:
    """The design in ``folder``. Raises ``DigestMismatch`` unless its artifact is that of ``digest``, and its
    files are as they were generated."""
    info = DesignInfo.load(folder)
    info.check(folder)
    if info.digest != digest:
        raise DigestMismatch(
            f"{folder} was generated from artifact {info.digest[:8]}…, the model is {digest[:8]}…: "
            "run 'spec2 generate' again"
        )
    return info


def resources(folder: Path, info: DesignInfo) -> dict[str, Any]:
    """DSP slices of the array and of the whole design (as synthesised where that has been done)."""
    if (total := info.figure("dsp_total")) < 1:
        raise ArtifactError("the design's estimates have no DSP slice: generate it again")
    estimate = {name: info.estimates[name] for name in COUNTED if name in info.estimates}
    found = {
        "dsp_mac": info.config.mac_dsps,
        "dsp_total": total,
        "estimate": {"dsp": total, **estimate},
    }
    measured = results.load(folder, results.SYNTHESIS, results.Counted)
    if measured:
        found["dsp_total"] = measured["dsp"]
        found["synthesis"] = {name: measured[name] for name in COUNTED}
    return found


def counts(found: dict[str, Any]) -> dict[str, float]:
    """Of :func:`resources`, as synthesised where that has been done, else as estimated."""
    synthesis: dict[str, float] = found.get("synthesis") or {}
    return {**found["estimate"], **synthesis, "dsp": found["dsp_total"]}


def cycles(result: Verification, info: DesignInfo) -> dict[str, Any]:
    """Clocks of a run of one image, of a full batch, and of every layer of both."""
    layers = zip(result.single.layers, result.batch.layers, strict=True)
    return {
        "per_image": result.single.cycles,
        "batch": result.batch.cycles,
        "images_per_batch": info.config.batch,
        "estimate": info.estimates.get("cycles"),
        "layers": {
            single.name: {"per_image": single.cycles, "batch": full.cycles, "steps": full.steps}
            for single, full in layers
        },
    }


def occupancy(info: DesignInfo, result: Verification) -> dict[str, float]:
    """Shares of a full batch's run, 0..1; see the head of this module.

    Raises ``ArtifactError`` for a design made before these shares were part of its description.
    """
    run = result.batch
    steps = np.array([layer.steps for layer in run.layers], dtype=float)
    weight = steps / max(1.0, steps.sum())
    rows = info.figure("layers")
    try:
        filled = np.array([[row["multipliers_filled"], row["lanes_filled"]] for row in rows])
    except KeyError:
        raise ArtifactError("the design is of an older version of spec2: generate it again") from None
    if len(filled) != len(steps):
        raise ArtifactError("the design's estimates are of other layers than it has: generate it again")
    multipliers, lanes = weight @ filled
    return {
        "steps": round(run.mac_steps / run.cycles, 4),
        "multipliers": round(float(multipliers), 4),
        "lanes": round(float(lanes), 4),
    }
