"""What was measured on a design, stored in its folder and void once the design has changed.

Simulation and synthesis leave one JSON file each; the report puts them together. Each carries the
fingerprint of the design it belongs to, so that no figure outlives its design.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hw.design import DesignInfo
from hw.files import inside, write_json

SIMULATION = "simulation.json"
"""Written by :func:`sim.verify.verify`."""

SYNTHESIS = "synthesis.json"
"""Written by :func:`bitstreams.synth.synthesise`."""


def fingerprint(folder: Path | str) -> str:
    """SHA-256 (hex) over the design's description, and with it over every file it lists.

    Raises ``ArtifactError`` when there is no design in ``folder``, or not as it was generated.
    """
    info = DesignInfo.load(folder)
    info.check(folder)
    return info.fingerprint


def save(folder: Path | str, name: str, result: Mapping[str, Any]) -> None:
    """Write ``result`` (plain JSON) as ``folder/name``, tied to the design as it is now."""
    write_json(inside(folder, name), {"design": fingerprint(folder), "result": dict(result)})


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
