"""Checkpoint files: written whole or not at all, read without running anything they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hw.errors import ArtifactError
from hw.files import replacing


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` whole or not at all. Raises ``ArtifactError`` if it cannot."""
    with replacing(path) as part, part.open("wb") as file:
        try:
            torch.save(dict(state), file)
        except RuntimeError as error:  # it is about a position in the file; the cause is what the file raised
            raise error.__context__ if isinstance(error.__context__, OSError) else error from None


def load_state(path: Path, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """The state in ``path`` if it was saved with the same ``key`` (settings), else None.

    Raises ``ArtifactError`` for a file that is not a checkpoint.
    """
    if not path.exists():
        return None
    try:
        state = torch.load(path, weights_only=True)
        return state if state["key"] == dict(key) else None
    except Exception as error:  # unpickling a damaged file may raise almost anything
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ArtifactError(
            f"{path} is not a usable checkpoint ({reason}): delete it to start afresh"
        ) from None
