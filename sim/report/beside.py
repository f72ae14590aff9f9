"""Files beside a model that tell something of it, and name the artifact that they belong to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hw.util import documents
from hw.util.errors import ArtifactError


def beside(path: Path, digest: str, kind: Any) -> dict[str, Any]:
    """What a file says of the artifact with that ``digest``, checked to be a ``kind``; nothing if it is
    absent, damaged or of another one."""
    try:
        stored: dict[str, Any] = documents.decode(documents.read(path), dict[str, Any], path.name)
        found = stored.pop("digest", None)
        documents.convert(stored, kind, path.name)
    except (OSError, ArtifactError):
        return {}
    return stored if found == digest else {}
