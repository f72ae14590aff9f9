"""Checkpoint files: written whole or not at all, read without running anything they hold."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from hw.errors import ArtifactError


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write ``state`` to ``path`` whole or not at all. Raises ``ArtifactError`` if it cannot."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")  # another job may write the same file
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(dict(state), part)
        os.replace(part, path)
    except (OSError, RuntimeError) as error:  # torch reports a bad place as RuntimeError
        raise ArtifactError(f"cannot write {path}: {error}") from None


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
