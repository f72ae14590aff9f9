"""Models of one network side by side: accuracy, clocks and storage of every kind of sparsity.

All rows of a table are of one array, and their clocks come from one place: counted by the Verilog, or
predicted by scheduler and cost model. A row is plain JSON, so that a table in the documentation can be kept
beside its data and checked against it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hw.contract.artifact import Artifact, load
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Network
from hw.contract.sparsity import COMPARED
from hw.util import documents
from hw.util.errors import ArtifactError, ConfigError
from hw.util.tables import table
from sim.report.data import accuracy, design_of, resources, scheme, sparsity, training
from sim.report.prediction import predict
from sim.rtl.verify import Verification

Row = dict[str, Any]

Progress = Callable[[float, float, str], None]
"""Called with (done, total, what is being done)."""

ARRAY = AcceleratorConfig(rows=64, lanes=10, batch=1)
"""The array of predicted tables unless another is named: the size that ``make bench-vgg16`` measures, one
image at a time, weights in the design."""

VERILOG, MODEL = "Verilog", "scheduler and cost model"
"""Where clocks come from."""

FAMILIES = COMPARED
"""Sparsity patterns in the order of a table: from the freest to those that leave a smaller network."""

HEADS = {
    "scheme": "sparsity",
    "share_pruned": "pruned %",
    "accuracy_dense": "dense %",
    "accuracy_float": "float %",
    "accuracy_integer": "integer %",
    "cycles": "clocks",
    "cycles_batch": "clocks/batch",
    "op_per_dsp_cycle": "op/DSP/clk",
    "storage_bits": "bits",
    "seconds": "training, s",
}
"""Columns of the table, by their names in a row. One that no row has a figure for is left out."""

DECIMALS = {"share_pruned": 2, "accuracy_dense": 2, "accuracy_float": 2, "accuracy_integer": 2, "seconds": 0}
"""Digits behind the point of figures that are read down a column."""


class _Row(msgspec.Struct):
    """What tables, pictures and pages read of a row; in a file there may be more."""

    network: str
    scheme: str
    share_pruned: float
    cycles: float
    rows: int
    lanes: int
    batch: int
    clocks_from: str
    storage_bits: float | None = None
    accuracy_dense: float | None = None
    accuracy_float: float | None = None
    accuracy_integer: float | None = None
    seconds: float | None = None
    command: str | None = None
    cycles_batch: float | None = None
    op_per_dsp_cycle: float | None = None


@dataclass(frozen=True)
class Model:
    """What a row needs of a model, without its weights: a table of VGG16s would fill a memory with them.

    network: before pruning. scheme: :func:`sim.report.data.scheme`. share_pruned: percent of
    the words of ``network``, in those layers that are pruned at all. accuracy: percent of the test set
    (:func:`sim.report.data.accuracy`). seconds, command: of training (:func:`sim.report.data.training`),
    where known.
    """

    folder: Path
    digest: str
    network: Network
    scheme: str
    share_pruned: float
    accuracy: dict[str, float]
    seconds: float | None
    command: str | None

    @classmethod
    def load(cls, folder: Path) -> Model:
        """The model in ``folder``. Raises ``ArtifactError``."""
        artifact = load(folder / "model.npz")
        about = training(folder, artifact)
        return cls(
            folder,
            artifact.digest,
            artifact.pruned_from,
            scheme(artifact),
            _share_pruned(artifact),
            accuracy(folder, artifact),
            about.get("seconds"),
            about.get("command"),
        )

    @property
    def design(self) -> Path:
        """Where its design is, if there is one."""
        return self.folder / "design"


@dataclass(frozen=True)
class Figures:
    """Clocks of a run of one image and of a full one on ``config``; dsp: slices of the design;
    weight_bits: of its weight memory."""

    config: AcceleratorConfig
    cycles: int
    cycles_batch: int
    dsp: int
    weight_bits: int


def read(folders: Sequence[Path], progress: Progress | None = None) -> list[Model]:
    """The models in ``folders``.

    Raises ``ArtifactError`` for a folder without one, ``ConfigError`` when networks differ or a model occurs
    twice.
    """
    models: list[Model] = []
    for done, folder in enumerate(folders):
        if progress:
            progress(done, len(folders), folder.name)
        models.append(Model.load(folder))
    _check(models)
    return models


def rows(
    models: Sequence[Model],
    array: AcceleratorConfig | None = None,
    *,
    processes: int = 1,
    progress: Progress | None = None,
) -> list[Row]:
    """The rows of ``models``, in the order of :data:`FAMILIES`, denser ones first.

    Clocks are those that simulations of their designs counted, if each has one beside it and no ``array`` is
    named; otherwise predicted for ``array`` (or :data:`ARRAY`), which takes minutes where large
    irregular masks are scheduled for the first time, ``processes`` layers at once. ``progress`` hears of
    every layer.

    Raises ``ConfigError`` when designs have different arrays, ``DigestMismatch`` when one has other weights.
    """
    counted = [] if array else [one for model in models if (one := _counted(model))]
    clocks_from = VERILOG
    if len(counted) == len(models):
        _check_arrays(counted)
    else:
        counted, clocks_from = _predicted(models, array or ARRAY, progress, processes), MODEL
    found = [_row(model, one, clocks_from) for model, one in zip(models, counted, strict=True)]
    return sorted(found, key=_place)


def family(name: str) -> str:
    """The kind of sparsity that a scheme belongs to, one of :data:`FAMILIES`: ``2:8`` is ``uniform``."""
    if name[:1].isdigit():
        return "uniform"
    return "adaptive" if name.startswith("adaptive-") else name


def _place(row: Row) -> tuple[int, float]:
    kind = family(row["scheme"])
    return FAMILIES.index(kind) if kind in FAMILIES else len(FAMILIES), row["share_pruned"]


def _check(models: Sequence[Model]) -> None:
    """Raise ``ConfigError`` unless all are different models of one network."""
    names = sorted({model.network.name for model in models})
    if len(names) > 1:
        raise ConfigError(f"a table compares one network, not {' and '.join(names)}: split the folders")
    seen: dict[str, Path] = {}
    for model in models:
        if model.network != models[0].network:
            raise ConfigError(
                f"the {model.network.name} in {model.folder} has other layers than that in "
                f"{models[0].folder}: leave one out"
            )
        if model.digest in seen:
            raise ConfigError(f"{seen[model.digest]} and {model.folder} hold the same model: leave one out")
        seen[model.digest] = model.folder


def _check_arrays(counted: Sequence[Figures]) -> None:
    sizes = sorted({(one.config.rows, one.config.lanes, one.config.batch) for one in counted})
    if len(sizes) > 1:
        (n, p, b), (n2, p2, b2), *_ = sizes
        raise ConfigError(
            f"a table compares models on one array, these were simulated on N={n} P={p} batch {b} and "
            f"N={n2} P={p2} batch {b2}: simulate one anew, or name a size, as --rows 64 --lanes 10"
        )


def _counted(model: Model) -> Figures | None:
    """What the simulation of the folder's design counted; None without one."""
    if not (model.design / "design.json").exists():
        return None
    info, result = design_of(model.digest, model.design), Verification.load(model.design)
    if result is None:
        return None
    dsp = resources(model.design, info)["dsp_total"]
    return Figures(info.config, result.single.cycles, result.batch.cycles, dsp, info.figure("weight_bits"))


def _predicted(
    models: Sequence[Model], array: AcceleratorConfig, progress: Progress | None, processes: int
) -> list[Figures]:
    found = []
    for number, model in enumerate(models):
        names = [layer.name for layer in model.network.layers]

        def tell(layer: str, number: int = number, model: Model = model, names: list[str] = names) -> None:
            if progress:
                done = number + names.index(layer) / len(names)
                progress(done, len(models), f"{model.scheme}, {layer}")

        one = predict(model.folder, model.digest, array, tell, processes)
        found.append(Figures(array, one.cycles, one.cycles_batch, one.dsp, one.weight_bits))
    return found


def _row(model: Model, one: Figures, clocks_from: str) -> Row:
    """One row; what nobody measured is None.

    share_pruned, accuracy_*, seconds, command: as in :class:`Model`. cycles: of a run of one image,
    cycles_batch of a full one where that has more. storage_bits: the weight memory, with selects, addresses
    and flags, in whole bytes. op_per_dsp_cycle: operations of the network before pruning. rows, lanes, batch:
    the array. clocks_from: :data:`VERILOG` or :data:`MODEL`.
    """
    config = one.config
    operations = model.network.operations * config.batch
    return {
        "network": model.network.name,
        "scheme": model.scheme,
        "share_pruned": model.share_pruned,
        "accuracy_dense": model.accuracy.get("dense"),
        "accuracy_float": model.accuracy.get("pruned"),
        "accuracy_integer": model.accuracy.get("integer"),
        "cycles": one.cycles,
        "storage_bits": 8 * -(-one.weight_bits // 8),
        "seconds": model.seconds,
        "command": model.command,
        "cycles_batch": one.cycles_batch if config.batch > 1 else None,
        "op_per_dsp_cycle": round(operations / (one.dsp * one.cycles_batch), 4),
        "rows": config.rows,
        "lanes": config.lanes,
        "batch": config.batch,
        "clocks_from": clocks_from,
        "digest": model.digest,
    }


def _share_pruned(artifact: Artifact) -> float:
    pruned = [layer for layer in sparsity(artifact).values() if layer["kind"] != "dense"]
    words = sum(layer["words"] for layer in pruned)
    kept = sum(layer["words"] * layer["kept"] / 100 for layer in pruned)
    return round(100 * (1 - kept / words), 2) if words else 0.0


def read_rows(path: Path) -> list[Row]:
    """The rows that ``spec2 compare --out`` wrote. Raises ``ArtifactError``."""
    try:
        content = documents.read(path)
    except OSError as error:
        raise ArtifactError(f"cannot read {path}: {error.strerror or error}") from None
    kind = Annotated[list[_Row], Meta(min_length=1)]
    documents.decode(content, kind, str(path))
    found: list[Row] = documents.decode(content, list[dict[str, Any]], str(path))
    return found


def markdown(found: Sequence[Row]) -> str:
    """The table of ``rows``."""
    heads = {key: head for key, head in HEADS.items() if any(one.get(key) is not None for one in found)}
    return table(heads.values(), [[_cell(key, one.get(key)) for key in heads] for one in found])


def clocks_of(found: Sequence[Row]) -> str:
    """One sentence: of which array the clocks are, and where they come from."""
    one = found[0]
    by = "counted by the Verilog" if one["clocks_from"] == VERILOG else f"predicted by {MODEL}"
    return f"Clocks of N = {one['rows']}, P = {one['lanes']}, batch {one['batch']}, {by}."


def _cell(key: str, value: Any) -> Any:
    return f"{value:,.{DECIMALS[key]}f}" if key in DECIMALS and value is not None else value
