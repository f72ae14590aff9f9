"""Every figure of the report, recomputed by hand from what the stages left."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hw.contract import results
from hw.contract.artifact import PRUNED_FROM, load, random_artifact
from hw.contract.network import IMAGES, Conv, Network, lenet, tiny
from hw.contract.results import ACCURACY_NAME
from hw.util.errors import ArtifactError, DigestMismatch
from sim.report.data import assemble, sparsity, storage, write
from sim.report.page import markdown
from sim.rtl.verify import verify


@pytest.fixture
def simulated(fake_design, tiny_images):
    verify(fake_design.design, fake_design.artifact, tiny_images, stalls=True)
    return fake_design


def test_a_model_alone_has_accuracy_and_storage(tmp_path):
    accuracy = {"dense": 99.0, "pruned": 98.5, "mirror": None}
    random_artifact(tiny(), seed=1).save(tmp_path / "model.npz")
    model = load(tmp_path / "model.npz")
    replace(model, provenance={"accuracy": accuracy}).save(tmp_path / "model.npz")
    report = assemble(tmp_path)
    assert report["accuracy"] == {"dense": 99.0, "pruned": 98.5}
    assert "cycles" not in report and "resources" not in report
    page = markdown(report)
    assert "Not run yet: `spec2 prune`, `spec2 generate`, `spec2 simulate`, `spec2 synth`." in page


def test_integer_accuracy_counts_for_its_artifact_only(fake_design):
    path = fake_design.folder / ACCURACY_NAME
    path.write_text(json.dumps({"digest": fake_design.artifact.digest, "integer": 98.7}))
    assert assemble(fake_design.folder)["accuracy"] == {"integer": 98.7}
    path.write_text(json.dumps({"digest": "0" * 64, "integer": 98.7}))
    assert assemble(fake_design.folder)["accuracy"] == {}


def test_storage_of_lenet_by_hand():
    dense = storage(random_artifact(lenet(), kind="dense"))
    # fc1 takes 4×4 maps: 8 words each hold 16 pixels; fc2 takes 500 features, two to a word.
    words = 32 * 20 + 32 * 20 * 50 + 500 * 50 * 8 + 10 * 250
    assert dense["words"] == words
    assert dense["spatial_bytes"] == 25 * 20 + 25 * 20 * 50 + 500 * 800 + 10 * 500
    # A few dense random words are zero by chance (both parts, once in 65,025).
    assert words - 30 < dense["kept_words"] <= words
    assert dense["weight_bytes"] == 2 * dense["kept_words"]
    pruned = storage(random_artifact(lenet(), kind="kernel", density=0.25))
    assert pruned["kept_words"] < dense["kept_words"]


def test_what_is_added_is_no_weight(tmp_path):
    """In words kept and not, in space, and in operations; its bytes are stored."""
    layers = (
        Conv("stem", 2, 3, 3, padding=1),
        Conv("sum", 3 + 2, 2, 3, padding=1, sources=("stem", IMAGES), added=True),
    )
    artifact = random_artifact(Network("added", (2, 8, 8), layers), kind="dense", weight_bits=16)
    found = storage(artifact)
    assert found["words"] == found["kept_words"] == 32 * (2 * 3 + 3 * 2)
    assert found["spatial_bytes"] == 9 * (2 * 3 + 3 * 2)
    assert found["weight_bytes"] == 4 * 32 * (2 * 3 + 3 * 2 + 2)  # of what is added one for each output
    assert {name: row["kept"] for name, row in sparsity(artifact).items()} == {"stem": 100, "sum": 100}
    artifact.save(tmp_path / "model.npz")
    report = assemble(tmp_path)
    assert report["operations"] == 2 * 64 * 9 * (2 * 3 + 3 * 2)
    assert "384 of 384 spectral words kept (100.0 %)" in markdown(report)


def test_channels_that_are_gone_count_as_pruned(tmp_path):
    """In words, bytes and operations: those of the network before it lost them."""
    whole = random_artifact(lenet(), seed=4, kind="dense")
    conv1, conv2, fc1, fc2 = lenet().layers
    layers = (
        replace(conv1, out_channels=6),
        replace(conv2, in_channels=6, out_channels=3),
        replace(fc1, in_features=3 * 16),
        fc2,
    )
    less = replace(lenet(), layers=layers)
    small = random_artifact(less, seed=4, kind="dense")
    replace(small, provenance={PRUNED_FROM: lenet().to_json()}).save(tmp_path / "model.npz")
    report = assemble(tmp_path)
    assert report["operations"] == lenet().operations
    assert report["storage"] == storage(whole) | {
        key: report["storage"][key] for key in ("kept_words", "weight_bytes")
    }
    assert report["storage"]["kept_words"] == int(sum(w.mask.sum() for w in small.layers.values()))
    second = report["sparsity"]["conv2"]
    assert second["words"] == 32 * 20 * 50 and second["kept"] == pytest.approx(100 * 6 * 3 / 1000, abs=0.02)


def test_figures_of_a_simulated_design(simulated):
    report = assemble(simulated.folder)
    # Counters of the fixture: 4 layers, per image 1,000 clocks and 50 steps each, 600 clocks besides.
    assert report["cycles"]["per_image"] == 4600 and report["cycles"]["batch"] == 16_600
    assert report["cycles"]["layers"]["conv2"] == {"per_image": 1000, "batch": 4000, "steps": 200}
    assert report["resources"]["dsp_mac"] == 3 * 8 * 4
    dsps = report["resources"]["dsp_total"]
    assert dsps >= 96
    assert report["op_per_dsp_cycle"] == pytest.approx(tiny().operations * 4 / (dsps * 16_600), abs=1e-4)
    luts = simulated.info.estimates["lut"]
    assert report["op_per_lut_cycle"] == pytest.approx(tiny().operations * 4 / (luts * 16_600), abs=1e-4)
    assert report["convolutions_only"] is False and "convolutions only" not in markdown(report)
    assert "(convolutions only)" in markdown(report | {"convolutions_only": True})
    assert report["occupancy"]["steps"] == pytest.approx(800 / 16_600, abs=1e-4)
    assert report["verified"]["mismatches"] == 0 and report["verified"]["stalls"] is True
    assert report["storage"]["step_bytes"] == -(-simulated.info.estimates["weight_bits"] // 8)


def test_multiplier_occupancy_is_the_share_of_nonzero_slots(simulated):
    """All layers have the same step count here, so the mean over layers is plain."""
    from hw.compile.compiler import compile_program

    program = compile_program(simulated.artifact, simulated.info.config)
    shares = [np.mean(np.any(plan.steps.weight != 0, axis=-1)) for plan in program.layers]
    assert assemble(simulated.folder)["occupancy"]["multipliers"] == pytest.approx(np.mean(shares), abs=1e-4)


def test_lane_occupancy_of_the_tiny_network(simulated):
    """9×11 maps of 2×2 tiles fill four lanes; so does a batch of four; the 4×5 map of conv2 has one tile."""
    assert assemble(simulated.folder)["occupancy"]["lanes"] == pytest.approx((1 + 0.25 + 1 + 1) / 4, abs=1e-4)


def test_a_design_of_before_is_refused(simulated, tiny_images):
    figures = json.loads(json.dumps(simulated.info.estimates).replace("lanes_filled", "else"))
    replace(simulated.info, estimates=figures).save(simulated.design)
    verify(simulated.design, simulated.artifact, tiny_images)
    with pytest.raises(ArtifactError, match="generate it again"):
        assemble(simulated.folder)


def test_synthesised_dsps_replace_the_estimate(simulated):
    counted = {"dsp": 120, "bram36": 3.5, "uram": 0, "lut": 1000, "ff": 2000}
    before, figures = assemble(simulated.folder)["op_per_dsp_cycle"], simulated.info.estimates
    results.save(simulated.design, results.SYNTHESIS, counted)
    report = assemble(simulated.folder)
    assert report["resources"]["dsp_total"] == 120 and report["resources"]["synthesis"] == counted
    estimated = simulated.info.estimates["dsp_total"]
    assert report["op_per_dsp_cycle"] == pytest.approx(before * estimated / 120, abs=2e-4)
    work = before * estimated  # operations a clock
    assert report["op_per_lut_cycle"] == pytest.approx(work / 1000, abs=1e-3), figures["lut"]
    assert report["op_per_bram36_cycle"] == pytest.approx(work / 3.5, abs=1e-2)


def test_a_design_of_another_model_is_refused(simulated):
    random_artifact(tiny(), seed=6).save(simulated.folder / "model.npz")
    with pytest.raises(DigestMismatch, match="spec2 generate"):
        assemble(simulated.folder)


def test_without_a_model(tmp_path):
    with pytest.raises(ArtifactError, match="spec2 prune"):
        assemble(tmp_path)


def test_written_files_hold_the_report_on_one_page(simulated):
    report = assemble(simulated.folder)
    write(report, simulated.folder)
    assert json.loads((simulated.folder / "report.json").read_text()) == json.loads(json.dumps(report))
    page = (simulated.folder / "report.md").read_text()
    assert len(page.splitlines()) < 60
    for text in (
        "# tiny on N = 8, P = 4",
        "**0 mismatches**",
        "random stalls",
        "| whole run | 4,600 | 16,600 |",
    ):
        assert text in page
    assert "Not run yet: `spec2 prune`, `spec2 synth`." in page


def test_layers_of_other_widths_take_other_bytes(tmp_path):
    same = random_artifact(tiny(), seed=1)
    other = random_artifact(tiny(), seed=1, layer_bits={"conv2": 3, "fc1": 5})
    other.save(tmp_path / "model.npz")
    kept = {name: int(weights.mask.sum()) for name, weights in other.layers.items()}
    bits = 2 * (8 * (kept["conv1"] + kept["fc2"]) + 3 * kept["conv2"] + 5 * kept["fc1"])
    report = assemble(tmp_path)
    assert report["storage"]["weight_bytes"] == -(-bits // 8) < storage(same)["weight_bytes"]
    assert [layer["bits"] for layer in report["sparsity"].values()] == [8, 3, 5, 8]
    assert "(adaptive, 3 bits), fc1" in markdown(report)
    same.save(tmp_path / "model.npz")
    assert "bits)" not in markdown(assemble(tmp_path)), "where all are the same there is nothing to say"
