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

MOST_CLASSES = 100
"""Of a confusion matrix; larger ones say less than they take."""

MOST_IMAGES = 64
"""Simulated images of a report."""

MOST_SCORES = 20
"""Classes whose scores a report has; of more, those of the best five and of the label."""


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
    """Of the images that a page shows, wrong ones first: ``number``, ``label`` (None where none is known),
    ``chosen``, ``wrong`` (None likewise) and ``scores``, pairs of a class and its score."""
    chosen, labels, rows = answers.chosen.tolist(), answers.labels, []
    for number in range(len(answers.images)):
        label = None if labels is None else int(labels[number])
        wrong = None if label is None else label != chosen[number]
        scores = _scores(answers.scores[number], label)
        row = {"number": number, "label": label, "chosen": chosen[number], "wrong": wrong, "scores": scores}
        rows.append(row)
    return sorted(rows, key=lambda row: not row["wrong"])[:MOST_IMAGES]


def _scores(scores: NDArray[np.int32], label: int | None) -> list[tuple[int, int]]:
    kept = np.arange(len(scores))
    if len(scores) > MOST_SCORES:
        kept = np.argsort(-scores.astype(np.int64), kind="stable")[:5]
        if label is not None and 0 <= label < len(scores) and label not in kept:
            kept = np.append(kept, label)
    return [(int(number), int(scores[number])) for number in kept]
