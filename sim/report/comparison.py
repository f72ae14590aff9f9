"""Models of one network side by side: accuracy, clocks and storage of every sparsity pattern.

All rows of a table are of one array, and their clocks come from one source: counted by the Verilog, or
predicted by scheduler and cost model. A row is plain JSON, so that a table in the documentation can be kept
beside its data and checked against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hw.contract.config import AcceleratorConfig
from hw.contract.sparsity import COMPARED
from hw.cost.efficiency import HEADS as EFFICIENCY
from hw.cost.efficiency import per_cycle, rounded
from hw.util import documents
from hw.util.tables import table
from sim.report.models import Figures, Model, Progress, check_arrays, counted, predicted

Row = dict[str, Any]

ARRAY = AcceleratorConfig(rows=64, lanes=10, batch=1)
"""The array of predicted tables unless another is named: the size that ``make bench-vgg16`` measures, one
image at a time, weights in the design."""

VERILOG, MODEL = "Verilog", "scheduler and cost model"
"""Where clocks come from."""

FAMILIES = COMPARED
"""Sparsity patterns in the order of a table: from the freest to those that leave a smaller network."""

HEADS = {
    "scheme": "sparsity",
    "seeds": "seeds",
    "share_pruned": "pruned %",
    "accuracy_dense": "dense %",
    "accuracy_float": "float %",
    "accuracy_integer": "integer %",
    "lost": "lost",
    "sensitivity": "sensitivity %",
    "specificity": "specificity %",
    "cycles": "clocks",
    "cycles_batch": "clocks/batch",
    **EFFICIENCY,
    "storage_bits": "bits",
    "seconds": "training, s",
}
"""Columns of the table, by their names in a row. One that no row has a figure for is left out."""

PERCENT = (
    "share_pruned",
    "accuracy_dense",
    "accuracy_float",
    "accuracy_integer",
    "lost",
    "sensitivity",
    "specificity",
)
DECIMALS = {**dict.fromkeys(PERCENT, 2), "seconds": 0}
"""Digits after the point of figures that are read down a column."""


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
    sensitivity: float | None = None
    specificity: float | None = None
    seconds: float | None = None
    command: str | None = None
    cycles_batch: float | None = None
    op_per_dsp_cycle: float | None = None
    op_per_lut_cycle: float | None = None
    op_per_bram36_cycle: float | None = None
    bram36: float | None = None
    stream_weights: bool | None = None
    seeds: int | None = None
    lost: float | None = None
    spread: dict[str, float] = {}


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
    figures = [] if array else [its for model in models if (its := counted(model))]
    clocks_from = VERILOG
    if len(figures) == len(models):
        check_arrays(figures)
    else:
        figures, clocks_from = predicted(models, array or ARRAY, progress, processes), MODEL
    found = [_row(model, its, clocks_from) for model, its in zip(models, figures, strict=True)]
    return sorted(found, key=_position)


def family(name: str) -> str:
    """The sparsity pattern that a scheme belongs to, one of :data:`FAMILIES`: ``2:8`` is ``uniform``."""
    if name[:1].isdigit():
        return "uniform"
    return "adaptive" if name.startswith("adaptive-") else name


def _position(row: Row) -> tuple[int, float]:
    kind = family(row["scheme"])
    return FAMILIES.index(kind) if kind in FAMILIES else len(FAMILIES), row["share_pruned"]


def _row(model: Model, figures: Figures, clocks_from: str) -> Row:
    """One row; what nobody measured is None.

    share_pruned, accuracy_*, seconds, command: as in :class:`~sim.report.models.Model`. sensitivity,
    specificity: :func:`sim.report.two_classes.shares`. cycles: of a run of
    one image, cycles_batch of a full one where that has more. storage_bits: the weight memory, with selects,
    addresses and flags, in whole bytes. op_per_dsp_cycle and the others of :mod:`hw.cost.efficiency`:
    operations of the network before pruning. bram36: RAMB36 blocks of the design. stream_weights: weights
    come from external memory. rows, lanes, batch: the array. clocks_from: :data:`VERILOG` or :data:`MODEL`.
    weight_bits, spectrum_bits: widths of numbers.
    """
    config = figures.config
    operations = model.network.operations * config.batch
    return {
        "network": model.network.name,
        "scheme": model.scheme,
        "share_pruned": model.share_pruned,
        "accuracy_dense": model.accuracy.get("dense"),
        "accuracy_float": model.accuracy.get("pruned"),
        "accuracy_integer": model.accuracy.get("integer"),
        "cycles": figures.cycles,
        "storage_bits": 8 * -(-figures.weight_bits // 8),
        "seconds": model.seconds,
        "command": model.command,
        "sensitivity": model.accuracy.get("sensitivity"),
        "specificity": model.accuracy.get("specificity"),
        "cycles_batch": figures.cycles_batch if config.batch > 1 else None,
        **rounded(per_cycle(operations, figures.cycles_batch, figures.needs)),
        "bram36": figures.needs.get("bram36"),
        "stream_weights": config.stream_weights,
        "rows": config.rows,
        "lanes": config.lanes,
        "batch": config.batch,
        "clocks_from": clocks_from,
        "digest": model.digest,
        "weight_bits": model.bits[0],
        "spectrum_bits": model.bits[1],
    }


def read_rows(path: Path) -> list[Row]:
    """The rows that ``spec2 compare --out`` wrote. Raises ``ArtifactError``."""
    content = documents.needed(path)
    kind = Annotated[list[_Row], Meta(min_length=1)]
    documents.decode(content, kind, str(path))
    found: list[Row] = documents.decode(content, list[dict[str, Any]], str(path))
    return found


def markdown(found: Sequence[Row]) -> str:
    """The table of ``rows``."""
    heads = {key: head for key, head in HEADS.items() if any(row.get(key) is not None for row in found)}
    return table(heads.values(), [[_cell(row, key) for key in heads] for row in found])


def clocks_of(found: Sequence[Row]) -> str:
    """Of which array the clocks are, where they come from, and where weights lie, if the rows say so."""
    row = found[0]
    by = "counted by the Verilog" if row["clocks_from"] == VERILOG else f"predicted by {MODEL}"
    text = f"Clocks of N = {row['rows']}, P = {row['lanes']}, batch {row['batch']}, {by}."
    if row.get("stream_weights"):
        return f"{text} Weights come from external memory."
    blocks = [count for row in found if (count := row.get("bram36")) is not None]
    if not blocks:
        return text
    least, most = (f"{count:,g}" for count in (min(blocks), max(blocks)))
    span = most if least == most else f"{least} to {most}"
    return f"{text} Weights are held in the design, which takes {span} RAMB36 blocks (`spec2 boards`)."


def deviation(row: Row, key: str) -> str:
    """What follows the mean of several trainings: its standard deviation; nothing after other figures."""
    value = row.get("spread", {}).get(key)
    return "" if value is None else f" ± {value:,.{DECIMALS.get(key, 0)}f}"


def _cell(row: Row, key: str) -> Any:
    value, shown = row.get(key), deviation(row, key)
    if value is None or not (shown or key in DECIMALS):
        return value
    return f"{value:,.{DECIMALS.get(key, 0)}f}{shown}"
