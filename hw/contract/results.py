"""What was measured on a design, stored in its folder and void once the design has changed.

Simulation and synthesis leave one JSON file each; the report puts them together. Each carries the
fingerprint of the design it belongs to, so that no figure outlives its design.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from hw.contract.design import DesignInfo
from hw.util import documents
from hw.util.errors import ArtifactError
from hw.util.files import inside, write_json

SIMULATION = "simulation.json"
"""Written by :func:`sim.rtl.verify.verify`."""

SYNTHESIS = "synthesis.json"
"""Written by :func:`bitstreams.synthesis.yosys.synthesise`."""

ACCURACY_NAME = "accuracy.json"
"""Beside ``model.npz``: accuracies in percent and the artifact they belong to."""

TRAINING_NAME = "training.json"
"""Beside ``model.npz``: what pruning it took, the command, and the artifact they belong to."""

Number = Annotated[int, Meta(ge=0, le=2**63 - 1)] | Annotated[float, Meta(ge=0, le=1e18)]
"""How much of something: what is read here is divided by, multiplied and printed."""


class Worst(msgspec.Struct):
    """The path with the most levels."""

    levels: int
    end: str


class Levels(msgspec.Struct):
    """Paths of a mapped netlist: what is read again of :class:`bitstreams.synthesis.paths.Paths`."""

    levels: dict[Annotated[str, Meta(pattern=r"^\d{1,6}$")], int]
    worst: Annotated[list[Worst], Meta(min_length=1)]
    fanout: Annotated[list[tuple[str, int]], Meta(min_length=1)]


class Counted(msgspec.Struct):
    """What readers of :data:`SYNTHESIS` need of it."""

    dsp: Annotated[int, Meta(ge=1, le=2**63 - 1)]
    bram36: Number
    uram: Number
    lut: Number
    ff: Number
    paths: Levels | None = None


class _Stored(msgspec.Struct):
    design: str
    result: dict[str, Any]


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


def load(folder: Path | str, name: str, kind: Any = dict[str, Any]) -> dict[str, Any] | None:
    """The result in ``folder/name``, checked to be a ``kind``.

    None when there is none, it is no ``kind``, or it belongs to another design.
    """
    try:
        content = documents.read(Path(folder) / name)
        stored: _Stored = documents.decode(content, _Stored, name)
        documents.convert(stored.result, kind, name)
    except (OSError, ArtifactError):
        return None  # absent or damaged: the command that writes it can be run again
    return stored.result if stored.design == fingerprint(folder) else None


def discard(folder: Path | str, name: str) -> None:
    """Remove a result before it is measured anew: a failed run must leave no figures."""
    (Path(folder) / name).unlink(missing_ok=True)
