"""One report per model and design: assembled from what every stage left in its files.

``report.json`` is for programs, ``report.md`` one page for people. A stage that has not run is absent
from the first and named, with its command, in the second.

Figures of the design are defined in :mod:`sim.report.design_figures`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact, load
from hw.contract.design import DesignInfo
from hw.contract.network import Layer, Network, Shape
from hw.contract.results import ACCURACY_NAME, TRAINING_NAME
from hw.cost.efficiency import per_cycle, rounded
from hw.util import files
from hw.util.errors import Spec2Error
from sim.report import classification, provenance
from sim.report.beside import beside
from sim.report.design_figures import counts, cycles, design_of, occupancy, resources
from sim.report.graph import graph
from sim.report.stages import stages
from sim.report.training_log import curves
from sim.report.words import words as kept_words
from sim.rtl import answers
from sim.rtl.verify import Verification


def assemble(
    folder: Path | str, design: Path | str | None = None, *, new_model: bool = False
) -> dict[str, Any]:
    """The report on ``folder/model.npz`` and the design in ``design`` (by default ``folder/design``).

    new_model: the model was made just now; a design that is there is an earlier model's and left out.
    Writes nothing. Raises ``ArtifactError`` without a model, ``DigestMismatch`` when the design has other
    weights than the model.
    """
    folder = Path(folder)
    design = Path(design) if design else folder / "design"
    artifact = load(folder / "model.npz")
    kept, trained = sparsity(artifact), training(folder, artifact)
    report: dict[str, Any] = {
        "network": artifact.network.name,
        "digest": artifact.digest,
        "operations": artifact.pruned_from.operations,
        "convolutions_only": artifact.network.classes is None,
        "accuracy": accuracy(folder, artifact),
        "training": {**trained, "curves": curves(folder)},
        "storage": storage(artifact),
        "sparsity": kept,
        "graph": graph(artifact, kept),
        "words": kept_words(artifact),
    }
    info = result = found = None
    if (design / "design.json").exists() and not (new_model and earlier(artifact, design)):
        info = design_of(artifact.digest, design)
        result, found = Verification.load(design), answers.load(design)
        report |= _design(design, artifact, info, result)
    report["confusion"] = classification.confusion(folder, artifact.digest, found)
    report["images"] = classification.simulated(found) if found else []
    report["commands"] = provenance.commands(folder, trained, design, info, result)
    report["digests"] = provenance.digests(artifact, info)
    return report


def earlier(artifact: Artifact, design: Path) -> bool:
    """Whether the design is of another model, or no longer what it was: nothing to report on a new model."""
    try:
        design_of(artifact.digest, design)
    except Spec2Error:
        return True
    return False


def write(report: dict[str, Any], folder: Path | str) -> None:
    """Write ``report.json`` and ``report.md`` into ``folder``; ``ArtifactError`` if it cannot be written."""
    from sim.report.page import markdown

    folder = Path(folder)
    files.write_json(files.inside(folder, "report.json"), report)
    files.write(files.inside(folder, "report.md"), markdown(report))


def accuracy(folder: Path, artifact: Artifact) -> dict[str, float]:
    """Accuracies in percent: from training, and of the integer model where it was measured."""
    found = {k: v for k, v in artifact.provenance.get("accuracy", {}).items() if v is not None}
    return found | beside(folder / ACCURACY_NAME, artifact.digest, dict[str, float])


def training(folder: Path, artifact: Artifact) -> dict[str, Any]:
    """``seconds`` that pruning took, and its ``command``; what neither file nor artifact says is absent."""
    stored = {key: artifact.provenance.get(key) for key in ("seconds", "command")}
    stored |= beside(folder / TRAINING_NAME, artifact.digest, _Training)
    return {key: value for key, value in stored.items() if value is not None}


class _Training(msgspec.Struct):
    seconds: float | None = None
    command: str | None = None


def sparsity(artifact: Artifact) -> dict[str, dict[str, Any]]:
    """Per layer: the constraint, its words before pruning, the share of them kept, in percent, and the bits
    of each part of a weight."""
    out = {}
    for layer, words in _layer_words(artifact.pruned_from):
        kind = artifact.sparsity[layer.name].kind if layer.name in artifact.sparsity else "dense"
        kept = _kept(artifact, layer)
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

    The weights of what is only added count as bytes, not as words. ``spatial_bytes``: the unpruned network's
    weights in space, one byte each. A design adds ``step_bytes``: its weight memory, with selects, addresses
    and flags.
    """
    whole = artifact.pruned_from
    stored = {layer.name: int(artifact.layers[layer.name].mask.sum()) for layer in whole.layers}
    bits = sum(2 * artifact.bits_of(name) * words for name, words in stored.items())
    return {
        "words": sum(words for _, words in _layer_words(whole)),
        "kept_words": sum(_kept(artifact, layer) for layer in whole.layers),
        "weight_bytes": -(-bits // 8),
        "spatial_bytes": sum(map(_spatial_weights, whole.layers)),
    }


def _layer_words(network: Network) -> Iterator[tuple[Layer, int]]:
    for layer, shape in zip(network.layers, network.inputs, strict=True):
        yield layer, _words(layer, shape)


def _words(layer: Layer, shape: Shape) -> int:
    """Words that can hold a weight (in a fully connected layer: that hold an input feature); none of what is
    only added."""
    used: NDArray[np.bool_] = np.any(layer.used_parts(shape), axis=2)
    return layer.outputs * int(used[: layer.convolved].sum())


def _kept(artifact: Artifact, layer: Layer) -> int:
    """Of these, those that are not zero."""
    return int(artifact.layers[layer.name].mask[:, : layer.convolved].sum())


def _spatial_weights(layer: Layer) -> int:
    return layer.outputs * layer.convolved * layer.kernel**2


def _design(
    folder: Path, artifact: Artifact, info: DesignInfo, result: Verification | None
) -> dict[str, Any]:
    report = {"config": info.to_json()["config"], "resources": resources(folder, info)}
    report["storage"] = storage(artifact) | {"step_bytes": -(-info.figure("weight_bits") // 8)}
    report["stages"] = stages(info, result)
    if result is None:
        return report
    run = result.batch
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
        **rounded(per_cycle(work, run.cycles, counts(report["resources"]))),
        "occupancy": occupancy(info, result),
    }
