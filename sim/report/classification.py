"""How a classifier answered: which class was taken for which, and the images that were simulated."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hw.host.counters import Count
from sim.report.beside import beside
from sim.rtl.answers import Answers

FILE_NAME = "confusion.json"
"""Beside ``model.npz``: what the integer model made of all test images, and the artifact it belongs to."""

TEST_SET, SIMULATION = "the integer model, all test images", "the Verilog, the simulated images"
"""Where a confusion matrix comes from."""

MOST_CLASSES = 1000


class Confusion(msgspec.Struct):
    """counts: a row for every label, a column for every class that was chosen."""

    counts: Annotated[list[list[Count]], Meta(min_length=2, max_length=MOST_CLASSES)]


def counts(scores: NDArray[np.integer], labels: NDArray[np.integer]) -> list[list[int]]:
    """(classes, classes): how many images of a label got a class as the highest score.

    scores: (n, classes). Nothing where a label is none of the classes, or there are too many of them.
    """
    classes = scores.shape[1]
    if not 2 <= classes <= MOST_CLASSES or labels.min() < 0 or labels.max() >= classes:
        return []
    found = np.zeros((classes, classes), np.int64)
    np.add.at(found, (labels, scores.argmax(axis=1)), 1)
    rows: list[list[int]] = found.tolist()
    return rows


def confusion(folder: Path, digest: str, answers: Answers | None) -> dict[str, Any] | None:
    """``of`` (:data:`TEST_SET` or :data:`SIMULATION`) and ``counts``: of all test images where these were
    measured, else of those that were simulated; None where no labels are known."""
    stored = beside(folder / FILE_NAME, digest, Confusion)
    square = {len(row) for row in stored.get("counts", [])} == {len(stored.get("counts", []))}
    if stored and square:
        return {"of": TEST_SET, "counts": stored["counts"]}
    if answers is not None and answers.labels is not None:
        found = counts(answers.scores, answers.labels)
        return {"of": SIMULATION, "counts": found} if found else None
    return None


def simulated(answers: Answers) -> list[dict[str, Any]]:
    """Of every image that a page can show: ``number``, ``label`` (None where none is known), ``chosen`` and the
    ``scores`` of all classes."""
    chosen, labels = answers.chosen.tolist(), answers.labels
    return [
        {
            "number": number,
            "label": None if labels is None else int(labels[number]),
            "chosen": chosen[number],
            "scores": answers.scores[number].tolist(),
        }
        for number in range(len(answers.images))
    ]
