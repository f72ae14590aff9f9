"""What the Verilog answered in a simulation: class scores, labels, and the images as far as pages show them.

``answers.npz`` beside a design: a JSON ``header`` with the design's fingerprint, ``scores`` (n, classes)
int32, ``images`` (k, c, h, w) uint8 of the first k, and ``labels`` (n,) int64 where there are any.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.results import fingerprint
from hw.util import archives, documents
from hw.util.errors import DataError, Spec2Error
from hw.util.files import inside

FILE_NAME = "answers.npz"

MOST_IMAGES, MOST_BYTES = 256, 4 << 20
"""Images that are kept: so many, and of so many bytes together."""

MOST_SCORES = 64 << 20
"""Bytes of all scores, and of all labels."""


@dataclass(frozen=True)
class Answers:
    """scores: (n, classes). images: (k, c, h, w) of the first k <= n. labels: (n,), or None."""

    scores: NDArray[np.int32]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None

    def __post_init__(self) -> None:
        n = len(self.scores)
        ranks = self.scores.ndim, self.images.ndim
        if ranks != (2, 4) or not n or not self.scores.shape[1] or len(self.images) > n:
            raise DataError(f"{self.images.shape} images are not those of {self.scores.shape} scores")
        if self.labels is not None and self.labels.shape != (n,):
            raise DataError(f"{self.labels.shape} labels are not those of {n} images")

    @property
    def chosen(self) -> NDArray[np.int64]:
        """(n,): the class of the highest score; of equal ones the first."""
        found: NDArray[np.int64] = self.scores.argmax(axis=1)
        return found


def save(
    design: Path, images: NDArray[np.uint8], scores: NDArray[np.int32], labels: NDArray[Any] | None
) -> None:
    """Write ``answers.npz`` into the folder ``design``. Raises ``ArtifactError`` if it cannot be written."""
    stacked = images[:, None] if images.ndim == 3 else images
    fit = MOST_BYTES // max(1, stacked[0].nbytes)
    arrays = {"scores": scores.astype("<i4"), "images": stacked[: min(MOST_IMAGES, fit)].astype("|u1")}
    if labels is not None:
        arrays["labels"] = np.asarray(labels).astype("<i8")
    header = np.frombuffer(json.dumps({"design": fingerprint(design)}).encode(), np.uint8)
    archives.save(inside(design, FILE_NAME), compressed=True, header=header, **arrays)


def load(design: Path) -> Answers | None:
    """What the last simulation of the design in that folder answered.

    None where there is no such file, it is damaged, or it belongs to another design.
    """
    try:
        with archives.opened(design / FILE_NAME) as file:
            header: Any = documents.decode(file.take("header", most=1 << 12).tobytes(), Any, FILE_NAME)
            scores = file.take("scores", most=MOST_SCORES)
            images = file.take("images", most=MOST_BYTES)
            labels = file.take("labels", most=MOST_SCORES) if "labels" in file.names else None
        wanted = {"scores": (scores, "<i4"), "images": (images, "|u1"), "labels": (labels, "<i8")}
        if any(array is not None and array.dtype != np.dtype(kind) for array, kind in wanted.values()):
            return None
        if not isinstance(header, dict) or header.get("design") != fingerprint(design):
            return None
        return Answers(scores, images, labels)
    except (OSError, KeyError, Spec2Error):
        return None  # absent or damaged: the simulation can be run again
