"""What :mod:`sim.commands.transfer_experiment` measures, and its tables.

``python -m sim.commands.transfer_results FILE`` prints those of a file that it wrote.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from hw.util import documents
from hw.util.tables import table

COSTS = 50
"""Images of every class of which the table gives runs and seconds."""


class Row(msgspec.Struct):
    """One way to learn a head, from one draw of images.

    method: how images were augmented. count: images of every class. accuracy: percent of the test images, of
    the integer model; floating: of the head before it was quantised. runs: images through the base; others:
    those that serve all tasks. seconds: of everything but runs.
    """

    method: str
    count: int
    seed: int
    accuracy: float
    floating: float
    runs: int
    others: int
    seconds: float


class Fit(msgspec.Struct):
    """r_squared: of a ``form`` of M_g for a ``change``, learned from so many images, on others; form "none"
    takes features as they are."""

    form: str
    images: int
    change: str
    r_squared: float


class Results(msgspec.Struct):
    """base: its digest. run_seconds: of an image, through the integer model of the base."""

    base: str
    run_seconds: float
    rows: list[Row] = []
    fits: list[Fit] = []


def read(path: Path) -> Results:
    """Raises ``ArtifactError`` for a file that holds something else."""
    found: Results = documents.decode(documents.needed(path), Results, str(path))
    return found


def accuracies(results: Results) -> str:
    """Percent right of the integer model, mean ± standard deviation over the draws, and what it took."""
    counts = sorted({row.count for row in results.rows})
    heads = ["augmentation", *(f"{count} a class" for count in counts), "runs", "once", "runs, s", "rest, s"]
    lines = []
    for method in dict.fromkeys(row.method for row in results.rows):
        own = [row for row in results.rows if row.method == method]
        cells = [_spread(row.accuracy for row in own if row.count == count) for count in counts]
        costs = [row for row in own if row.count == COSTS]
        lines.append((method, *cells, *(_costs(costs, results.run_seconds) if costs else [""] * 4)))
    return table(heads, lines)


def fits(results: Results) -> str:
    """R² of every form and change, the mean over those of a name."""
    changes = list(dict.fromkeys(fit.change for fit in results.fits))
    lines = []
    for images, form in dict.fromkeys((fit.images, fit.form) for fit in results.fits):
        own = [fit for fit in results.fits if (fit.images, fit.form) == (images, form)]
        means = [statistics.mean(fit.r_squared for fit in own if fit.change == change) for change in changes]
        lines.append((f"{images:,}", form, *(f"{mean:.3f}" for mean in means)))
    return table(["learned from", "form", *changes], lines)


def tables(results: Results) -> str:
    """All of them, as ``docs/transfer.md`` has them."""
    return f"{accuracies(results)}\n\n{fits(results)}"


def _costs(rows: Sequence[Row], run_seconds: float) -> list[str]:
    """Runs, those that serve all tasks, seconds of the first, and the median of all else."""
    seconds, runs = statistics.median(row.seconds for row in rows), rows[0].runs
    return [f"{runs:,}", f"{rows[0].others:,}", f"{runs * run_seconds:.1f}", f"{seconds:.1f}"]


def _spread(values: Iterable[float]) -> str:
    found = list(values)
    if len(found) < 2:
        return ", ".join(f"{value:.2f}" for value in found)
    return f"{statistics.mean(found):.2f} ± {statistics.stdev(found):.2f}"


if __name__ == "__main__":
    print(tables(read(Path(sys.argv[1]))))
