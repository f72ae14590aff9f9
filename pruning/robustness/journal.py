"""What a study has found so far, in a file: figures and learned patches by the names of their steps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import torch
from msgspec import Meta

from hw.util import documents
from hw.util.errors import ArtifactError
from hw.util.files import write_json

JOURNAL = "journal.json"

Percent = Annotated[float, Meta(ge=0, le=100)]
Pixel = Annotated[int, Meta(ge=0, le=255)]


class Learned(msgspec.Struct, frozen=True):
    """A patch: pixels (C, p, p), 0 to 255; weights of the models; first and last mean loss of each."""

    pixels: Annotated[list[list[list[Pixel]]], Meta(min_length=1)]
    weights: list[float]
    losses: list[list[float]]


class _File(msgspec.Struct):
    key: str
    figures: dict[str, Percent] = {}
    patches: dict[str, Learned] = {}


class Journal:
    """A journal at ``path`` of the study ``key``: what is there of another one is not taken.

    Raises ``ArtifactError`` for a file that is no journal.
    """

    def __init__(self, path: Path, key: str) -> None:
        self._path, self._file = path, _File(key)
        if path.exists() and (found := _read(path)).key == key:
            self._file = found

    def has(self, name: str) -> bool:
        return name in self._file.figures or name in self._file.patches

    def keep(self, name: str, found: float | Learned) -> None:
        """Write it down."""
        if isinstance(found, Learned):
            self._file.patches[name] = found
        else:
            self._file.figures[name] = found
        write_json(self._path, msgspec.to_builtins(self._file))

    def figure(self, name: str) -> float:
        return self._file.figures[name]

    def weights(self, name: str) -> list[float]:
        return self._file.patches[name].weights

    def patch(self, name: str) -> torch.Tensor:
        """(C, p, p), real, 0 to 1."""
        return torch.tensor(self._file.patches[name].pixels) / 255


def _read(path: Path) -> _File:
    found = documents.decode(documents.needed(path), _File, str(path))
    for name, learned in found.patches.items():
        rows = {len(row) for plane in learned.pixels for row in plane}
        sides = {len(plane) for plane in learned.pixels} | rows
        if len(sides) != 1:
            raise ArtifactError(
                f"{path}: the pixels of {documents.shown(name)} are no square patch: remove the file"
            )
    return found
