"""The lines of ``training.csv`` as TensorBoard shows them: ``spec2 prune --tensorboard``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from hw.util.errors import ArtifactError, ToolNotFound
from pruning.training.log import LogRow

FOLDER = "tensorboard"
"""Beside ``training.csv``."""

FILES = "events.out.tfevents.*"
"""How TensorBoard's own writer calls them."""

TAGS = tuple(field.name for field in fields(LogRow) if field.name not in ("phase", "epoch"))
"""Scalars: the figures of a line under the names that the log has."""


class Events:
    """Event files in a folder: a step is a line of the log, counted from 1, over all phases.

    A session begins its file with the lines of those before it, whose files go: no step is there twice.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written = 0
        self._writer: Any = None

    def follow(self, rows: Sequence[LogRow]) -> None:
        """Write what of all ``rows`` is not written yet. Raises ``ArtifactError`` if that cannot be done."""
        try:
            if self._writer is None:
                self._writer = self._begun()
            for step, row in enumerate(rows[self.written :], self.written + 1):
                for tag in TAGS:
                    self._writer.add_scalar(tag, getattr(row, tag), step)
                if step == 1 or rows[step - 2].phase != row.phase:
                    self._writer.add_text("phase", row.phase, step)
            self.written = max(self.written, len(rows))
            self._writer.flush()
        except OSError as error:
            raise ArtifactError(f"cannot write {self.folder}: {error.strerror or error}") from None

    def _begun(self) -> Any:
        from torch.utils.tensorboard import SummaryWriter

        self.folder.mkdir(parents=True, exist_ok=True)
        for old in self.folder.glob(FILES):
            old.unlink()
        return SummaryWriter(str(self.folder))

    def close(self) -> None:
        """No line follows."""
        if self._writer is not None:
            self._writer.close()


@contextmanager
def events_in(out: Path, wanted: bool) -> Iterator[Events | None]:
    """Events in the folder of a job, closed after the block; None unless they are ``wanted``.

    Raises ``ToolNotFound`` where TensorBoard is not installed.
    """
    if not wanted:
        yield None
        return
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "tensorboard":
            raise
        raise ToolNotFound(
            "--tensorboard needs the extra 'tensorboard', which is not installed: "
            "pip install '.[tensorboard]'"
        ) from None
    events = Events(out / FOLDER)
    try:
        yield events
    finally:
        events.close()
