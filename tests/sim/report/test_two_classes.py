"""Sensitivity and specificity, and where they are read."""

import numpy as np
import pytest

from hw.contract.artifact import load, random_artifact
from hw.contract.network import Dense, Network
from sim import model
from sim.commands.integer_model import measure
from sim.report import comparison, data, page
from sim.report.two_classes import shares

LABELS = np.array([1, 1, 1, 1, 0, 0])
SCORES = np.array([[0, 1], [0, 1], [0, 1], [1, 0], [5, -5], [-5, 5]])
"""Three of four with, one of two without are taken for what they are."""


def test_shares_are_those_of_each_class():
    assert shares(SCORES, LABELS) == {"sensitivity": 75.0, "specificity": 50.0}
    assert shares(-SCORES, LABELS) == {"sensitivity": 25.0, "specificity": 50.0}


@pytest.mark.parametrize(("scores", "labels"), [(SCORES, np.ones(6)), (np.zeros((6, 3)), LABELS)])
def test_there_are_none_without_two_classes(scores, labels):
    assert shares(scores, labels) == {}


def test_measured_shares_are_in_report_page_and_comparison(tmp_path):
    """Of the integer model, tied to the artifact like accuracies."""
    network = Network("two", (1, 4, 4), (Dense("fc1", 16, 8), Dense("fc2", 8, 2, relu=False)))
    artifact = random_artifact(network, seed=3)
    artifact.save(tmp_path / "model.npz")
    images = np.random.default_rng(1).integers(0, 256, (40, 1, 4, 4), np.uint8)
    answers = model.run(artifact, images).argmax(1)
    labels = answers.copy()
    members = np.flatnonzero(answers == 1)
    labels[members[: len(members) // 2]] = 0  # these are false alarms
    measure(tmp_path, images, labels, accuracy={}, seconds=1.0, command=None)
    found = data.assemble(tmp_path)["accuracy"]
    zeros = int((labels == 0).sum())
    assert found["sensitivity"] == 100
    assert found["specificity"] == pytest.approx(100 * (1 - (len(members) // 2) / zeros), abs=1e-4)
    text = page.markdown(data.assemble(tmp_path))
    assert f"(specificity), integer model | {found['specificity']:.2f} |" in text
    assert load(tmp_path / "model.npz").digest == artifact.digest
    row = {"scheme": "dense", "sensitivity": 75.0, "specificity": 50.0}
    assert "| sensitivity % | specificity % |" in comparison.markdown([row])
    assert "sensitivity" not in comparison.markdown([{"scheme": "dense"}])
