"""Masks of the pruning library on Verilator: an irregular kind, and one that takes channels away.

``make verify-sparsity`` does so for every kind, on two networks.
"""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.generate import generate
from pruning.patterns import fully_connected, quarter
from pruning.training.synthetic import synthetic
from sim import model, rtl

pytestmark = pytest.mark.verilator

CONFIG = AcceleratorConfig(rows=4, lanes=2, batch=2)


@pytest.mark.parametrize(
    ("kind", "scheduled", "smaller"),
    [("pattern", True, False), pytest.param("combined", False, True, marks=pytest.mark.slow)],
)
def test_a_pruned_network_gives_equal_scores(tmp_path, tiny_images, kind, scheduled, smaller):
    artifact = synthetic(tiny(), quarter(kind, 4), fully_connected=fully_connected(kind, 4), seed=3)
    assert (artifact.network != tiny()) == smaller and artifact.pruned_from == tiny()
    assert compile_program(artifact, CONFIG).run_ahead == scheduled
    generate(artifact, CONFIG, tmp_path / "design")
    expected = model.run(artifact, tiny_images)
    assert len(np.unique(expected)) > 6  # pruned, not dead
    found = rtl.simulate(tmp_path / "design", tiny_images, stalls=True, seed=4)
    np.testing.assert_array_equal(found.scores, expected)
