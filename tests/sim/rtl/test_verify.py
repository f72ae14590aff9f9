"""Verification finds what differs, and measures undisturbed runs only."""

import pytest

from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.network import tiny
from hw.util.errors import DigestMismatch
from sim.bench.job import Memory
from sim.rtl.verify import Verification, verify


def test_equal_results_and_the_runs_that_were_made(fake_design, tiny_images):
    seen, slow = [], Memory(200, 3)
    result = verify(
        fake_design.design,
        fake_design.artifact,
        tiny_images,
        stalls=True,
        seed=3,
        memory=slow,
        progress=lambda *p: seen.append(p),
    )
    assert result.mismatches == 0 and result.first_mismatch is None and result.images == 6
    assert fake_design.calls == [
        {"images": 6, "batch": 4, "stalls": True, "seed": 3, "memory": slow},
        {"images": 4, "batch": 4, "stalls": False, "seed": 0, "memory": slow},
        {"images": 1, "batch": 1, "stalls": False, "seed": 0, "memory": slow},
    ]
    assert result.batch == fake_design.counters(4) and result.single == fake_design.counters(1)
    assert result.clocks == 30_000 and seen[-1] == (6, 6)
    assert Verification.load(fake_design.design) == result


def test_one_image_is_enough_to_measure_a_full_batch(fake_design, tiny_images):
    verify(fake_design.design, fake_design.artifact, tiny_images[:1])
    assert [call["images"] for call in fake_design.calls] == [1, 4, 1]


def test_a_wrong_score_is_counted_and_placed(fake_design, tiny_images):
    fake_design.errors.update({5: -3, 4: 8})
    result = verify(fake_design.design, fake_design.artifact, tiny_images)
    assert result.mismatches == 2
    assert "image 4, class 2" in result.first_mismatch and "+8 LSB" in result.first_mismatch


def test_a_mismatch_in_the_measured_runs_counts_as_well(fake_design, tiny_images):
    fake_design.errors[0] = 1
    assert verify(fake_design.design, fake_design.artifact, tiny_images).mismatches == 3


def test_counts_what_the_verilog_classified_correctly(fake_design, tiny_images):
    from sim import model

    labels = model.run(fake_design.artifact, tiny_images).argmax(axis=1)
    labels[1] = (labels[1] + 1) % 5
    assert verify(fake_design.design, fake_design.artifact, tiny_images, labels).correct == 5


def test_another_artifact_is_refused_before_anything_runs(fake_design, tiny_images):
    other = random_artifact(tiny(), seed=6)
    with pytest.raises(DigestMismatch, match="generate it again"):
        verify(fake_design.design, other, tiny_images)
    assert not fake_design.calls


def test_a_failed_run_leaves_no_figures(fake_design, tiny_images, monkeypatch):
    from hw.util.errors import ToolFailed
    from sim import rtl

    verify(fake_design.design, fake_design.artifact, tiny_images)

    def fail(*_, **__):
        raise ToolFailed("the simulator ended")

    monkeypatch.setattr(rtl, "simulate", fail)
    with pytest.raises(ToolFailed):
        verify(fake_design.design, fake_design.artifact, tiny_images)
    assert results.load(fake_design.design, results.SIMULATION) is None


def test_a_missing_tool_leaves_the_figures_alone(fake_design, tiny_images, monkeypatch):
    from hw.util.errors import ToolNotFound
    from sim import rtl

    verify(fake_design.design, fake_design.artifact, tiny_images)

    def absent(*_, **__):
        raise ToolNotFound("perl is not installed")

    monkeypatch.setattr(rtl, "simulate", absent)
    with pytest.raises(ToolNotFound):
        verify(fake_design.design, fake_design.artifact, tiny_images)
    assert results.load(fake_design.design, results.SIMULATION) is not None


@pytest.mark.parametrize(
    "change",
    [
        {"mismatches": "0"},
        {"mismatches": False},
        {"images": -4},
        {"stalls": 1},
        {"single": {}},
        {"more": 1},
        {"single": {"cycles": 0}},
        {"batch": {"cycles": 8.0}},
        {"batch": {"layers": []}},
        {"batch": {"layers": [{"name": "other", "cycles": 1, "steps": 1}] * 4}},
    ],
    ids=str,
)
def test_an_edited_result_is_no_result(fake_design, tiny_images, change):
    """What stands there is divided by and zipped; the fingerprint is that of the design, and still right."""
    found = verify(fake_design.design, fake_design.artifact, tiny_images).to_json()
    for name, value in change.items():
        found[name] = found[name] | value if isinstance(value, dict) and value else value
    results.save(fake_design.design, results.SIMULATION, found)
    assert Verification.load(fake_design.design) is None
