"""One report per model and design: assembled from what every stage left in its files.

``report.json`` is for programs, ``report.md`` one page for people. A stage that has not run is absent
from the first and named, with its command, in the second.

Figures
    *op_per_dsp_cycle*: dense-equivalent operations (two per multiply-add of the network before pruning, as
    spatial convolutions) of a full batch, over every DSP slice of the design times the clocks of that run.
    *occupancy*: ``steps`` is the share of a run's clocks in which the array executed a step,
    ``multipliers`` the share of row slots in these steps that hold a non-zero weight, ``lanes`` the
    share of lanes that hold a tile.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from hw.contract import results
from hw.contract.artifact import Artifact, load
from hw.contract.design import DesignInfo
from hw.contract.network import Layer, Network, Shape
from hw.util import documents, files
from hw.util.errors import ArtifactError, DigestMismatch
from sim.rtl.verify import Verification

COUNTED = ("dsp", "bram36", "uram", "lut", "ff")
"""Resources, by the names that estimates and synthesis use."""

ACCURACY_NAME = "accuracy.json"
"""Beside ``model.npz``: accuracies in percent and the artifact they belong to."""

TRAINING_NAME = "training.json"
"""Beside ``model.npz``: what pruning it took, the command, and the artifact they belong to."""


def assemble(folder: Path | str, design: Path | str | None = None) -> dict[str, Any]:
    """The report on ``folder/model.npz`` and the design in ``design`` (by default ``folder/design``).

    Writes nothing. Raises ``ArtifactError`` without a model, ``DigestMismatch`` when the design has other
    weights than the model.
    """
    folder = Path(folder)
    design = Path(design) if design else folder / "design"
    artifact = load(folder / "model.npz")
    report: dict[str, Any] = {
        "network": artifact.network.name,
        "digest": artifact.digest,
        "operations": artifact.pruned_from.operations,
        "accuracy": accuracy(folder, artifact),
        "storage": storage(artifact),
        "sparsity": sparsity(artifact),
    }
    if (design / "design.json").exists():
        report |= _design(design, artifact)
    return report


def write(report: dict[str, Any], folder: Path | str) -> None:
    """Write ``report.json`` and ``report.md`` into ``folder``; ``ArtifactError`` if it cannot be written."""
    from sim.report.page import markdown

    folder = Path(folder)
    files.write_json(files.inside(folder, "report.json"), report)
    files.write(files.inside(folder, "report.md"), markdown(report))


def accuracy(folder: Path, artifact: Artifact) -> dict[str, float]:
    """Accuracies in percent: from training, and of the integer model where it was measured."""
    found = {k: v for k, v in artifact.provenance.get("accuracy", {}).items() if v is not None}
    return found | _beside(folder / ACCURACY_NAME, artifact, dict[str, float])


def training(folder: Path, artifact: Artifact) -> dict[str, Any]:
    """``seconds`` that pruning took, and its ``command``; what neither file nor artifact says is absent."""
    stored = {key: artifact.provenance.get(key) for key in ("seconds", "command")}
    stored |= _beside(folder / TRAINING_NAME, artifact, _Training)
    return {key: value for key, value in stored.items() if value is not None}


class _Training(msgspec.Struct):
    seconds: float | None = None
    command: str | None = None


def _beside(path: Path, artifact: Artifact, kind: Any) -> dict[str, Any]:
    """What a file beside a model says of ``artifact``; nothing if it is absent, damaged or of another one."""
    try:
        stored: dict[str, Any] = documents.decode(documents.read(path), dict[str, Any], path.name)
        digest = stored.pop("digest", None)
        documents.convert(stored, kind, path.name)
    except (OSError, ArtifactError):
        return {}
    return stored if digest == artifact.digest else {}


def sparsity(artifact: Artifact) -> dict[str, dict[str, Any]]:
    """Per layer: the constraint, its words before pruning, the share of them kept, in percent, and the bits
    of each part of a weight."""
    out = {}
    for layer, words in _layer_words(artifact.pruned_from):
        kind = artifact.sparsity[layer.name].kind if layer.name in artifact.sparsity else "dense"
        kept = int(artifact.layers[layer.name].mask.sum())
        out[layer.name] = {
            "kind": kind,
            "words": words,
            "kept": round(100 * kept / words, 2),
            "bits": artifact.bits_of(layer.name),
        }
    return out


def scheme(artifact: Artifact) -> str:
    """The constraint that names a model: that of the first convolution that has one, else of any layer.

    n:m sets carry their numbers: ``adaptive-2:8``, ``2:8`` (uniform). Every other kind is called as in
    ``Sparsity.kind``; ``dense`` where no layer has a constraint.
    """
    sets = [
        artifact.sparsity[layer.name] for layer in artifact.network.layers if layer.name in artifact.sparsity
    ]
    named = next((s for s in sets if s.kind != "dense"), None)
    if named is None or not named.regular:
        return "dense" if named is None else named.kind
    ratio = f"{named.keep:g}:{named.group}"
    return ratio if named.kind == "uniform" else f"{named.kind}-{ratio}"


def storage(artifact: Artifact) -> dict[str, int]:
    """Words of the whole network before pruning, those kept, and bytes of their weights in their widths.

    ``spatial_bytes``: the unpruned network's weights in space, one byte each. A design adds
    ``step_bytes``: its weight memory, with selects, addresses and flags.
    """
    whole = artifact.pruned_from
    kept = {layer.name: int(artifact.layers[layer.name].mask.sum()) for layer in whole.layers}
    bits = sum(2 * artifact.bits_of(name) * words for name, words in kept.items())
    return {
        "words": sum(words for _, words in _layer_words(whole)),
        "kept_words": sum(kept.values()),
        "weight_bytes": -(-bits // 8),
        "spatial_bytes": sum(map(_spatial_weights, whole.layers)),
    }


def _layer_words(network: Network) -> Iterator[tuple[Layer, int]]:
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        yield layer, _words(layer, shape)


def _words(layer: Layer, shape: Shape) -> int:
    """Words that can hold a weight (in a fully connected layer: that hold an input feature)."""
    return layer.outputs * int(layer.used_parts(shape).any(axis=2).sum())


def _spatial_weights(layer: Layer) -> int:
    return layer.outputs * layer.inputs * layer.kernel**2


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


def _design(folder: Path, artifact: Artifact) -> dict[str, Any]:
    info = design_of(artifact.digest, folder)
    report = {"config": info.to_json()["config"], "resources": resources(folder, info)}
    report["storage"] = storage(artifact) | {"step_bytes": -(-info.figure("weight_bits") // 8)}
    result = Verification.load(folder)
    if result is None:
        return report
    dsps, run = report["resources"]["dsp_total"], result.batch
    work = artifact.pruned_from.operations * info.config.batch
    return report | {
        "verified": {
            "images": result.images,
            "mismatches": result.mismatches,
            "first_mismatch": result.first_mismatch,
            "stalls": result.stalls,
            "correct": result.correct,
        },
        "cycles": cycles(result, info),
        "op_per_dsp_cycle": round(work / (dsps * run.cycles), 4),
        "occupancy": occupancy(info, result),
    }


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


def cycles(result: Verification, info: DesignInfo) -> dict[str, Any]:
    """Clocks of a run of one image, of a full batch, and of every layer of both."""
    layers = zip(result.single.layers, result.batch.layers, strict=True)
    return {
        "per_image": result.single.cycles,
        "batch": result.batch.cycles,
        "images_per_batch": info.config.batch,
        "estimate": info.estimates.get("cycles"),
        "layers": {
            one.name: {"per_image": one.cycles, "batch": all_.cycles, "steps": all_.steps}
            for one, all_ in layers
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
