"""What a training job tells while it runs: a line per epoch in ``training.csv``, and where it is now."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from hw.util.files import replacing


@dataclass(frozen=True)
class LogRow:
    """A line of ``training.csv``.

    accuracy: percent of the test set; kept: share of all words; primal, dual: the largest
    residual of any layer (:class:`pruning.optimisers.Residuals`).
    """

    phase: str
    epoch: int
    loss: float
    accuracy: float
    kept: float
    primal: float
    dual: float


@dataclass(frozen=True)
class Progress:
    """Where the job is.

    done: 0..1 of all of it. accuracy: percent, at the end of an epoch only. last: the log's last line.
    """

    phase: str
    epoch: int
    epochs: int
    done: float
    loss: float
    accuracy: float | None = None
    last: LogRow | None = None

    def describe(self) -> str:
        """For a progress bar: where the job is, and what the end of the last epoch measured."""
        text = f"{self.phase}, epoch {self.epoch} of {self.epochs}, loss {self.loss:.3f}"
        if (row := self.last) is None:
            return text
        text += f"; accuracy {row.accuracy:.2f} %, {100 * row.kept:.0f} % of words"
        return f"{text}, residuals {row.primal:.2f}, {row.dual:.2g}" if row.primal or row.dual else text


def write_log(rows: Sequence[LogRow], folder: Path) -> None:
    """``training.csv`` of a job in ``folder``. Raises ``ArtifactError`` if it cannot be written."""
    with replacing(folder / "training.csv") as part, part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(field.name for field in fields(LogRow))
        writer.writerows(astuple(row) for row in rows)
