"""Several reports side by side: accuracy, cycles and storage of every kind of sparsity in one table.

A row is plain JSON, so that a table in the documentation can be kept beside its data and checked
against it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hw.artifact import load
from hw.errors import ArtifactError, ConfigError
from sim.report import assemble, scheme
from sim.report_page import table

Row = dict[str, Any]

HEADS = {
    "scheme": "sparsity",
    "share_pruned": "pruned",
    "accuracy_dense": "dense",
    "accuracy_float": "float",
    "accuracy_integer": "integer",
    "cycles": "clocks",
    "cycles_batch": "clocks/batch",
    "op_per_dsp_cycle": "op/DSP/clk",
    "storage_bits": "bits",
}
"""Columns of the table, by their names in a row."""


def row(folder: Path | str) -> Row:
    """The row of the model and design in ``folder``; figures of stages that have not run are None.

    share_pruned: percent of the words of those layers that are pruned at all. accuracy_*: percent of
    the test set. cycles: of a run of one image, cycles_batch of a full one, counted by the hardware.
    storage_bits: the weight memory, with selects, addresses and flags.
    Raises what :func:`sim.report.assemble` raises.
    """
    report, artifact = assemble(folder), load(Path(folder) / "model.npz")
    accuracy, cycles = report["accuracy"], report.get("cycles", {})
    bits = report["storage"].get("step_bytes")
    return {
        "network": report["network"],
        "scheme": scheme(artifact),
        "share_pruned": _share_pruned(report["sparsity"]),
        "accuracy_dense": accuracy.get("dense"),
        "accuracy_float": accuracy.get("pruned"),
        "accuracy_integer": accuracy.get("integer"),
        "cycles": cycles.get("per_image"),
        "cycles_batch": cycles.get("batch"),
        "op_per_dsp_cycle": report.get("op_per_dsp_cycle"),
        "storage_bits": None if bits is None else 8 * bits,
        "digest": report["digest"],
    }


def _share_pruned(sparsity: dict[str, dict[str, Any]]) -> float:
    pruned = [layer for layer in sparsity.values() if layer["kind"] != "dense"]
    words = sum(layer["words"] for layer in pruned)
    kept = sum(layer["words"] * layer["kept"] / 100 for layer in pruned)
    return round(100 * (1 - kept / words), 2) if words else 0.0


def rows(folders: Sequence[Path]) -> list[Row]:
    """The rows of several folders. Raises ``ConfigError`` when their networks differ."""
    found = [row(folder) for folder in folders]
    networks = sorted({one["network"] for one in found})
    if len(networks) > 1:
        raise ConfigError(f"a table compares one network, not {' and '.join(networks)}: split the folders")
    return found


def markdown(found: Sequence[Row]) -> str:
    """The table of ``rows``."""
    return table(HEADS.values(), [[_cell(key, one[key]) for key in HEADS] for one in found])


def _cell(key: str, value: Any) -> Any:
    accuracy = key.startswith("accuracy") and value is not None
    return f"{value:.2f}" if accuracy else value


def save(found: Sequence[Row], path: Path) -> None:
    """Write the rows as JSON. Raises ``ArtifactError`` if the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(list(found), indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}") from None
