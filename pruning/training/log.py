"""What a training job tells: a line per epoch in ``training.csv``, where it is now, what searches found."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from hw.util.files import replacing, write
from pruning.optimisers import Residuals

if TYPE_CHECKING:
    from pruning.training.events import Events
    from pruning.training.phases import JobPhase

LOG = logging.getLogger(__name__)


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
    source: name of the file that the job went on from, empty for one that began afresh.
    """

    phase: str
    epoch: int
    epochs: int
    done: float
    loss: float
    accuracy: float | None = None
    last: LogRow | None = None
    source: str = ""

    def describe(self) -> str:
        """For a progress bar: where the job is, and what the end of the last epoch measured."""
        after = f" (went on from {self.source})" if self.source else ""
        text = f"{self.phase}, epoch {self.epoch} of {self.epochs}{after}, loss {self.loss:.3f}"
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


def write_search_log(path: Path, measured: Mapping[str, Any]) -> None:
    """What a search measured and chose, as JSON. Raises ``ArtifactError`` if it cannot be written."""
    write(path, msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")


class Journal:
    """What a job has told so far: the lines of its log, the accuracies that are kept, and its progress.

    phases: of the job, in order. out: the folder that the log is written to, if this process writes.
    events: get the same lines, then.
    """

    def __init__(
        self,
        phases: Sequence[JobPhase],
        out: Path | None,
        progress: Callable[[Any], None] | None,
        events: Events | None = None,
    ) -> None:
        self.phases, self.out, self.progress, self.events = phases, out, progress, events
        self.rows: list[LogRow] = []
        self.accuracy: dict[str, float] = {}
        """Percent of the test set, by ``JobPhase.measured``."""
        self.source = ""
        """Name of the file that the job went on from."""

    def record(
        self,
        index: int,
        epoch: int,
        loss: float,
        score: float,
        kept: float,
        residuals: Iterable[Residuals],
    ) -> None:
        """The end of an epoch, counted from 0, of the phase ``index``: log, accuracy and progress."""
        phase, found = self.phases[index], list(residuals)
        primal = max((r.primal for r in found), default=0.0)
        dual = max((r.dual for r in found), default=0.0)
        self.rows.append(LogRow(phase.name, epoch + 1, loss, score, kept, primal, dual))
        LOG.info("%s, epoch %d: loss %.4f, accuracy %.2f %%", phase.name, epoch + 1, loss, score)
        self.write()
        if phase.measured:
            self.accuracy[phase.measured] = score
        self.report(index, epoch, 1.0, loss, score)

    def write(self) -> None:
        """The whole log so far. Raises ``ArtifactError`` if it cannot be written."""
        if self.out is not None:
            write_log(self.rows, self.out)
            if self.events is not None:
                self.events.follow(self.rows)

    def report(self, index: int, epoch: int, done: float, loss: float, score: float | None = None) -> None:
        """Progress: the share ``done`` of an epoch of the phase ``index`` is done."""
        if self.progress is not None:
            phase, last = self.phases[index], self.rows[-1] if self.rows else None
            whole = self.done(index, epoch + done)
            where = (phase.name, epoch + 1, phase.epochs)
            self.progress(Progress(*where, whole, loss, score, last, self.source))

    def done(self, index: int, epochs: float = 0.0) -> float:
        """Share of the job, 0..1, when so many epochs of the phase ``index`` are done."""
        before = sum(phase.epochs for phase in self.phases[:index])
        return (before + epochs) / max(1, sum(phase.epochs for phase in self.phases))

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints hold of it."""
        return {"log": [asdict(row) for row in self.rows], "accuracy": dict(self.accuracy)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self.rows = [LogRow(**row) for row in state["log"]]
        self.accuracy = dict(state["accuracy"])
