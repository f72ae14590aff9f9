"""Measured rows as a file for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hw.errors import ArtifactError


def save(data: Any, path: Path) -> None:
    """Write plain data as JSON. Raises ``ArtifactError`` if the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}") from None
