"""The log of a search: what it measured and chose, in a file of JSON beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hw.util.files import write


def write_search_log(path: Path, measured: Mapping[str, Any]) -> None:
    """Write ``measured`` to ``path``. Raises ``ArtifactError`` if it cannot be written."""
    write(path, msgspec.json.format(msgspec.json.encode(measured), indent=1) + b"\n")
