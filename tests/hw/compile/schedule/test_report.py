"""What the scheduler reaches on whole layers, and what the report says about it."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.schedule import run_ahead
from hw.compile.schedule.bank_schedule import shared_steps
from hw.compile.schedule.report import layer_schedule, schedule_report
from hw.compile.step_table import step_table
from hw.contract.artifact import LayerWeights, random_artifact
from hw.contract.config import AcceleratorConfig, drain_rows
from hw.contract.network import Conv, Network, tiny
from hw.cost.timeline import passes
from hw.util.errors import ConfigError


def kernel_masks(out: int, channels: int, seed: int = 0) -> np.ndarray:
    """(out, channels, 32): every kernel keeps 8 of its 32 words, drawn at random."""
    return np.random.default_rng(seed).random((out, channels, 32)).argsort(axis=-1) < 8


@pytest.mark.parametrize(
    "channels", [64, 128, *(pytest.param(n, marks=pytest.mark.slow) for n in (256, 512))]
)
def test_rows_that_run_ahead_are_busy(channels):
    """The target for random ``kernel`` masks, N = 64; the drain's waits are steps like any other."""
    (steps,) = run_ahead(kernel_masks(64, channels)[None])
    assert (steps.channel >= 0).sum() == 64 * channels * 8
    assert (steps.channel >= 0).mean() >= 0.85
    assert np.diff(np.flatnonzero(steps.end_of_word)).min() >= 64 // drain_rows(64)


def test_only_rows_that_run_ahead_beat_the_busiest_row():
    found = layer_schedule("conv", kernel_masks(64, 64), 64)
    assert found.bound < 0.70 < 0.85 < found.utilisation_run_ahead
    assert found.utilisation_per_bank == pytest.approx(found.bound, rel=0.005)
    assert found.utilisation_shared < 0.45
    assert found.executes == "run ahead" and found.utilisation == found.utilisation_run_ahead


@pytest.mark.parametrize("channels", [64, 128])
def test_the_compiler_keeps_rows_busy(channels):
    """The target for random ``kernel`` masks on N = 64, in the steps that are stored for the array."""
    mask = kernel_masks(channels, channels, seed=1)
    weight = np.repeat(mask[..., None], 2, axis=-1).astype(np.int16)
    layer = LayerWeights(weight, np.zeros(channels, np.int32), np.zeros(channels, np.uint8))
    assert step_table(layer, 64, dot=False).occupancy >= 0.85


@pytest.mark.parametrize("kind", ["kernel", "adaptive", "dense"])
def test_report_counts_the_steps_that_the_compiler_makes(kind):
    artifact = random_artifact(tiny(), seed=3, kind=kind)
    config = AcceleratorConfig(8, 4, 4)
    plans = compile_program(artifact, config).layers
    for row, plan in zip(schedule_report(artifact, 8), plans, strict=True):
        assert row["layer"] == plan.layer.name
        assert row["executes"] == ("shared" if plan.steps.run_ahead is None else "run ahead")
        assert len(plan.steps) == row["steps"]
        clocks = sum(one.first + one.rest for one in passes(plan, config))
        assert row["clocks"] - plan.blocks * config.rows // config.drain <= clocks <= row["clocks"]
        if not plan.dot:
            assert plan.steps.occupancy <= row["utilisation"]
        assert row["products"] == artifact.layers[row["layer"]].mask.sum()
        assert row["per_bank"] <= row["shared"]
        assert row["utilisation_per_bank"] <= row["bound"] <= 1


def test_regular_masks_are_full_whatever_the_rows_may_do():
    artifact = random_artifact(
        Network("one", (64, 8, 8), (Conv("c", 64, 16, 3, 1),)), seed=1, density=0.25, kind="adaptive"
    )
    mask = artifact.layers["c"].mask
    (row,) = schedule_report(artifact, 8)
    steps = np.maximum(shared_steps(mask.reshape(2, 8, 64, 32).transpose(0, 3, 1, 2)), 1).sum()
    assert row["shared"] == row["per_bank"] == steps
    assert row["run_ahead_clocks"] <= row["per_bank_clocks"]


def test_a_short_block_counts_the_rows_it_has():
    """12 outputs on 8 rows: two blocks, the second with 4 rows."""
    dense = layer_schedule("conv", np.ones((12, 8, 4), dtype=bool), 8)
    assert dense.words == 2 * 4
    assert dense.shared == dense.per_bank == dense.run_ahead == 2 * 4 * 8
    assert dense.utilisation_shared == dense.bound == 1


def test_words_without_products():
    empty = np.zeros((8, 8, 4), dtype=bool)
    assert layer_schedule("conv", empty, 8).per_bank == 1  # word 0 brings the bias
    assert layer_schedule("fc", empty, 8, dot=True).steps == 1  # delivers a zero


@pytest.mark.parametrize("rows", [0, 6, -4])
def test_rows_must_be_a_multiple_of_four(rows):
    with pytest.raises(ConfigError, match=f"not {rows}"):
        schedule_report(random_artifact(tiny()), rows)
