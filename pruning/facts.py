"""What a search measured, in a file of JSON beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hw.errors import ArtifactError


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` to ``path``. Raises ``ArtifactError`` if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
    except OSError as error:
        raise ArtifactError(f"cannot write {path}: {error.strerror or error}") from None
