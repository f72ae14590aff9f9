"""What a search measured, in a file of JSON beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hw.util.files import write


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write ``facts`` to ``path``. Raises ``ArtifactError`` if it cannot be written."""
    write(path, msgspec.json.format(msgspec.json.encode(facts), indent=1) + b"\n")
