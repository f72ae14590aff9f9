"""What was measured on a design, stored in its folder and void once the design has changed.

Simulation and synthesis leave one JSON file each; the report puts them together. Each carries the
fingerprint of the design it belongs to, so that no figure outlives its design.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw.design import FILE_NAME, DesignInfo
from hw.errors import ArtifactError
from hw.files import write_json

SIMULATION = "simulation.json"
"""Written by :func:`sim.verify.verify`."""

SYNTHESIS = "synthesis.json"
"""Written by :func:`bitstreams.synth.synthesise`."""


def fingerprint(folder: Path | str) -> str:
    """SHA-256 (hex) over the design's description and every file it lists.

    Raises ``ArtifactError`` when there is no design in ``folder`` or one of its files is missing.
    """
    folder = Path(folder)
    sha = hashlib.sha256()
    for name in (FILE_NAME, *DesignInfo.load(folder).files):
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            raise ArtifactError(
                f"cannot read {folder / name} ({error.strerror}): generate it again"
            ) from None
        sha.update(f"{name}:{len(content)}:".encode())
        sha.update(content)
    return sha.hexdigest()


def save(folder: Path | str, name: str, result: Mapping[str, Any]) -> None:
    """Write ``result`` (plain JSON) as ``folder/name``, tied to the design as it is now."""
    write_json(Path(folder) / name, {"design": fingerprint(folder), "result": dict(result)})


def load(folder: Path | str, name: str) -> dict[str, Any] | None:
    """The result in ``folder/name``; None when there is none, or it belongs to another design."""
    try:
        stored = json.loads((Path(folder) / name).read_text(encoding="utf-8"))
        current = stored["design"] == fingerprint(folder)
        return dict(stored["result"]) if current else None
    except (OSError, ValueError, KeyError, TypeError):
        return None  # absent or damaged: the command that writes it can be run again


def discard(folder: Path | str, name: str) -> None:
    """Remove a result before it is measured anew: a failed run must leave no figures."""
    (Path(folder) / name).unlink(missing_ok=True)
