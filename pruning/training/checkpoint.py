"""Checkpoint files: written whole or not at all, read without running anything they hold."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import msgspec
import torch
from msgspec import Meta

from hw.util import documents
from hw.util.errors import ArtifactError
from hw.util.files import regular, replacing
from pruning.training.device import CPU
from pruning.training.log import LogRow


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` whole or not at all. Raises ``ArtifactError`` if it cannot."""
    with replacing(path) as part, part.open("wb") as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:  # it is about a position in the file; the cause is what the file raised
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


class State(msgspec.Struct):
    """What a job finds in a checkpoint; what :mod:`torch` takes back checks itself."""

    phase: Annotated[int, Meta(ge=0, le=100)]
    epoch: Annotated[int, Meta(ge=0, le=2**31)]
    model: dict[str, Any]
    optimiser: dict[str, Any] | None
    within: dict[str, Any] | None = msgspec.field(name="pass")
    admm: dict[str, Any] | None
    log: list[LogRow]
    accuracy: dict[str, float]
    layer_bits: dict[str, int] | None = None
    spent: dict[str, float] = {}


def load_state(
    path: Path, key: Mapping[str, Any], content: Any = dict[str, Any], device: torch.device = CPU
) -> dict[str, Any] | None:
    """The state in ``path`` if it was saved with the same ``key`` (settings), else None.

    Its tensors are on ``device``, wherever they were when it was saved.

    Raises ``ArtifactError`` for a file that is no checkpoint, or holds no ``content``.
    """
    if not path.exists():
        return None
    with usable(path):
        _bounded(path)
        state = torch.load(path, weights_only=True, map_location=device)
        if state["key"] != dict(key):
            return None
        documents.convert(state, content, "its state")
        found: dict[str, Any] = state
        return found


def _bounded(path: Path) -> None:
    """Refuse what unpacks to more than it is: torch packs nothing, but its reader would unpack it."""
    with zipfile.ZipFile(regular(path)) as archive:
        packed = [member for member in archive.infolist() if member.compress_type != zipfile.ZIP_STORED]
        size = sum(member.file_size for member in archive.infolist())
    if packed or size > path.stat().st_size:
        raise ArtifactError("it is packed, and torch packs nothing")


@contextmanager
def usable(path: Path) -> Iterator[None]:
    """Whatever a block meets that takes over the state in ``path`` is one sentence about that file."""
    try:
        yield
    except Exception as error:  # unpickling a damaged file may raise almost anything
        reason = documents.said(error)
        raise ArtifactError(
            f"{path} is not a usable checkpoint ({reason}): delete it to start afresh"
        ) from None
