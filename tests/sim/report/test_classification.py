"""Confusion matrices and answers of images: counted by hand, tied to what they belong to."""

import json

import numpy as np
import pytest

from hw.contract.artifact import random_artifact
from hw.contract.network import tiny
from sim import model
from sim.commands.integer_model import measure
from sim.report import classification
from sim.report.classification import SIMULATION, TEST_SET, confusion, counts, simulated
from sim.rtl.answers import Answers

SCORES = np.array([[5, 1, 0], [0, 9, 8], [0, 7, 7], [-3, -2, -1]], np.int32)
LABELS = np.array([0, 2, 1, 2])


def answers(scores=SCORES, labels=LABELS):
    return Answers(scores, np.zeros((len(scores), 1, 2, 2), np.uint8), labels)


def test_rows_are_labels_and_columns_what_was_chosen():
    assert counts(SCORES, LABELS) == [[1, 0, 0], [0, 1, 0], [0, 1, 1]]
    assert counts(SCORES, np.array([0, 2, 1, 3])) == [], "a label that is no class"
    assert counts(SCORES[:, :1], np.zeros(4, int)) == []


def test_wrong_images_come_first():
    rows = simulated(answers())
    assert [(row["number"], row["wrong"]) for row in rows] == [(1, True), (0, False), (2, False), (3, False)]
    assert rows[0] == {
        "number": 1,
        "label": 2,
        "chosen": 1,
        "wrong": True,
        "scores": [(0, 0), (1, 9), (2, 8)],
    }
    assert simulated(answers(labels=None))[0]["wrong"] is None


def test_of_many_classes_the_best_and_the_label_are_kept():
    scores = np.arange(40, dtype=np.int32)[None]
    (row,) = simulated(answers(scores, np.array([3])))
    assert row["scores"] == [(39, 39), (38, 38), (37, 37), (36, 36), (35, 35), (3, 3)]


def test_the_test_set_counts_before_simulated_images(tmp_path):
    artifact = random_artifact(tiny(), seed=3)
    artifact.save(tmp_path / "model.npz")
    images = np.random.default_rng(1).integers(0, 256, (12, *tiny().input), np.uint8)
    labels = (model.run(artifact, images).argmax(axis=1) + (np.arange(12) == 4)) % 5
    measure(tmp_path, images, labels, accuracy={}, seconds=1.0, command=None)
    found = confusion(tmp_path, artifact.digest, answers())
    assert found["of"] == TEST_SET and np.sum(found["counts"]) == 12 and np.trace(found["counts"]) == 11
    other = confusion(tmp_path, "0" * 64, answers())
    assert other == {"of": SIMULATION, "counts": counts(SCORES, LABELS)}, "of another model"
    assert confusion(tmp_path, "0" * 64, answers(labels=None)) is None


@pytest.mark.parametrize("damage", ["[[1, 2], [3]]", "[[1, -2], [3, 4]]", "[[1.5, 2], [3, 4]]", "[]", "7"])
def test_a_damaged_matrix_is_none(tmp_path, damage):
    text = json.dumps({"digest": "0" * 64}).replace("}", f', "counts": {damage}}}')
    (tmp_path / classification.FILE_NAME).write_text(text)
    assert confusion(tmp_path, "0" * 64, None) is None
