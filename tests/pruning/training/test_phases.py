"""Phases of a job: how each trains, and the names that files have for them."""

import numpy as np
import pytest

from hw.util.errors import ArtifactError
from pruning import data
from pruning.training import recipe
from pruning.training.checkpoint import save_state
from pruning.training.job import Job
from pruning.training.job_state import state_of
from pruning.training.phases import DensePhase, FakeQuantPhase, FineTuningPhase, PruningPhase, phases_of
from pruning.training.recipe_file import Schedule
from pruning.training.settings import Training

HOW = Training(
    optimiser="sgd", weight_decay=5e-4, warmup=0.2, pruning_batch=32, mirror_images=500, precision="bf16"
)
SETTINGS = recipe.find("lenet", epochs=Schedule(1, 2, 3, 4), training=HOW, batch=64).settings(1000)
PHASES = phases_of(SETTINGS)


def test_phases_keep_the_names_of_files_and_the_order_of_checkpoints():
    assert list(map(type, PHASES)) == [DensePhase, PruningPhase, FineTuningPhase, FakeQuantPhase]
    assert [phase.name for phase in PHASES] == ["dense", "admm", "finetune", "mirror"]
    assert [phase.measured for phase in PHASES] == ["dense", None, "pruned", "mirror"]
    assert [phase.epochs for phase in PHASES] == [1, 2, 3, 4]


def test_every_phase_trains_in_its_own_way():
    assert [phase.optimiser(HOW) for phase in PHASES] == [("sgd", 5e-4)] * 3 + [("adam", 0.0)]
    assert [phase.batch(SETTINGS) for phase in PHASES] == [64, 32, 32, 64]
    assert [phase.images(HOW) for phase in PHASES] == [None, None, None, 500]
    assert [phase.precision(HOW) for phase in PHASES] == ["bf16"] * 3 + ["float32"]
    assert [phase.warmup for phase in PHASES] == [0.2, 0, 0, 0]


def test_one_phase_prunes_and_two_are_shared():
    assert [phase.prunes for phase in PHASES] == [False, True, False, False]
    assert [phase.shared for phase in PHASES] == ["dense", None, "pruned", None]


def test_a_job_counts_the_time_of_the_phases_that_are_its_own(tmp_path):
    job = Job(SETTINGS, few_images(), tmp_path)
    job.spent = {"dense": 100.0, "admm": 3.0, "finetune": 2.0, "mirror": 1.0}
    assert job.seconds == 6


def test_a_checkpoint_of_a_phase_that_there_is_not_is_refused(tmp_path):
    """From a version with more of them, or damaged: it does not count as a finished job."""
    job = Job(SETTINGS, few_images(), tmp_path)
    state = {**state_of(job, 0, 1, None), "phase": len(PHASES)}
    save_state(job.checkpoint, {"key": job.keys()[0], **state})
    with pytest.raises(ArtifactError, match=r"checkpoint\.pt is not a usable checkpoint .* delete it"):
        job.train(True, tmp_path)


def few_images() -> data.ImageSet:
    rng = np.random.default_rng(7)
    images = rng.integers(0, 256, (8, 1, 28, 28), np.uint8)
    labels = np.arange(8, dtype=np.uint8)
    return data.ImageSet(images, labels, images, labels, "few")
