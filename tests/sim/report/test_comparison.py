"""The table that sets models side by side, from files that every stage left."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import Sparsity, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import lenet, tiny
from hw.contract.results import ACCURACY_NAME, TRAINING_NAME
from hw.cost.cycles import estimates
from hw.cost.efficiency import COUNTS
from hw.util.errors import ArtifactError, ConfigError, DigestMismatch
from pruning.quant.channel_removal import drop_channels
from sim.report import comparison, models, prediction_cache
from sim.report.data import assemble, scheme
from sim.rtl.verify import verify

SMALL = AcceleratorConfig(rows=8, lanes=2, batch=2)


def rows(*folders, array=None):
    return comparison.rows(models.read(folders), array)


def model(folder, network=None, **options):
    """A random model, and what its folder tells of it."""
    artifact = random_artifact(network or tiny(), **{"seed": 1, **options})
    about = {"seconds": 12.6, "command": f"spec2 prune {artifact.network.name}"}
    artifact = replace(artifact, provenance={**artifact.provenance, **about})
    artifact.save(folder / "model.npz")
    measured = {"digest": artifact.digest, "dense": 99.0, "pruned": 98.75, "integer": 98.5}
    (folder / ACCURACY_NAME).write_text(json.dumps(measured))
    return artifact


def test_a_row_holds_what_the_stages_measured(fake_design, tiny_images):
    verify(fake_design.design, fake_design.artifact, tiny_images)
    digest = fake_design.artifact.digest
    measured = {"digest": digest, "dense": 99.0, "pruned": 98.75, "integer": 98.5}
    (fake_design.folder / ACCURACY_NAME).write_text(json.dumps(measured))
    (row,) = rows(fake_design.folder)
    assert (row["accuracy_dense"], row["accuracy_float"], row["accuracy_integer"]) == (99.0, 98.75, 98.5)
    assert (row["cycles"], row["cycles_batch"]) == (4600, 16_600)  # of the fixture's counters
    report = assemble(fake_design.folder)
    needs = {**fake_design.info.estimates, "dsp": fake_design.info.estimates["dsp_total"]}
    assert row["storage_bits"] == 8 * report["storage"]["step_bytes"]
    assert row["storage_bits"] >= fake_design.info.estimates["weight_bits"]
    words = [(s["words"], s["kept"]) for s in report["sparsity"].values()]
    kept = sum(n * share / 100 for n, share in words) / sum(n for n, _ in words)
    assert row["share_pruned"] == pytest.approx(100 * (1 - kept), abs=0.01)
    assert (row["seconds"], row["command"]) == (None, None)  # nobody wrote them
    table = comparison.markdown([row])
    assert "98.75" in table and "16,600" in table and "adaptive-2:8" in table and "training" not in table
    for name, kind in COUNTS.items():
        assert row[name] == report[name] == round(tiny().operations * 4 / (16_600 * needs[kind]), 4)
    assert comparison.clocks_of([row]) == (
        "Clocks of N = 8, P = 4, batch 4, counted by the Verilog. Weights are held in the design, which "
        f"takes {needs['bram36']:g} RAMB36 blocks (`spec2 boards`)."
    )


def test_without_a_simulated_design_the_cost_model_predicts(tmp_path):
    artifact = model(tmp_path)
    (row,) = rows(tmp_path, array=SMALL)
    program = compile_program(artifact, SMALL)
    expected = estimates(program)
    assert (row["cycles"], row["cycles_batch"]) == (expected["cycles_per_image"], expected["cycles"])
    assert all(row[name] == round(expected[name], 4) for name in COUNTS)
    assert row["bram36"] == expected["bram36"]
    assert 0 <= row["storage_bits"] - expected["weight_bits"] < 8 and row["storage_bits"] % 8 == 0
    assert (row["seconds"], row["command"]) == (12.6, "spec2 prune tiny")
    assert "batch 2, predicted by scheduler and cost model. Weights are held" in comparison.clocks_of([row])
    (streamed,) = rows(tmp_path, array=replace(SMALL, stream_weights=True))
    assert comparison.clocks_of([streamed]).endswith("Weights come from external memory.")
    (usual,) = rows(tmp_path)
    assert (usual["rows"], usual["lanes"], usual["batch"], usual["cycles_batch"]) == (64, 10, 1, None)
    assert usual["cycles"] != row["cycles"]


def test_training_is_told_by_the_file_beside_the_model_or_by_the_model(tmp_path):
    artifact = model(tmp_path)
    about = {"digest": artifact.digest, "seconds": 77, "command": "spec2 prune other"}
    (tmp_path / TRAINING_NAME).write_text(json.dumps(about))
    (row,) = rows(tmp_path, array=SMALL)
    assert (row["seconds"], row["command"]) == (77, "spec2 prune other")
    for text in (json.dumps({**about, "digest": "0" * 64}), "[1]", "{"):
        (tmp_path / TRAINING_NAME).write_text(text)
        (row,) = rows(tmp_path, array=SMALL)
        assert (row["seconds"], row["command"]) == (12.6, "spec2 prune tiny")


def test_one_folder_without_a_simulation_and_all_are_predicted(fake_design, tiny_images, tmp_path):
    """A table does not mix arrays, nor what was counted with what was predicted."""
    verify(fake_design.design, fake_design.artifact, tiny_images)
    model(tmp_path / "b", seed=6)
    found = rows(fake_design.folder, tmp_path / "b")
    assert {(one["rows"], one["clocks_from"]) for one in found} == {(64, comparison.MODEL)}
    (sized,) = rows(fake_design.folder, array=SMALL)
    assert sized["clocks_from"] == comparison.MODEL and sized["cycles"] != 4600


def test_what_was_predicted_is_kept_until_the_model_the_array_or_the_compiler_changes(tmp_path, monkeypatch):
    model(tmp_path)
    asked = []
    genuine = prediction_cache.compile_program

    def compile_and_count(artifact, config, **options):
        asked.append((artifact.digest, config.rows))
        return genuine(artifact, config, **options)

    monkeypatch.setattr(prediction_cache, "compile_program", compile_and_count)
    other = replace(SMALL, rows=4)
    first, small = rows(tmp_path, array=SMALL), rows(tmp_path, array=other)
    assert len(asked) == 2 and first != small
    assert rows(tmp_path, array=SMALL) == first and rows(tmp_path, array=other) == small and len(asked) == 2
    (tmp_path / prediction_cache.FILE_NAME).write_text("{")
    assert rows(tmp_path, array=SMALL) == first and len(asked) == 3
    model(tmp_path, seed=2)
    assert rows(tmp_path, array=SMALL) != first and len(asked) == 4
    monkeypatch.setattr(prediction_cache, "_source", lambda: "another compiler")
    rows(tmp_path, array=SMALL)
    assert len(asked) == 5


def test_layers_without_a_constraint_do_not_dilute_the_share(tmp_path):
    artifact = random_artifact(lenet(), seed=1, density=0.25)
    sparse = dict(artifact.sparsity)
    sparse["fc1"] = Sparsity()
    replace(artifact, sparsity=sparse).save(tmp_path / "model.npz")
    (row,) = rows(tmp_path, array=SMALL)
    assert row["accuracy_integer"] is None
    without = assemble(tmp_path)["sparsity"]
    pruned = [layer for name, layer in without.items() if name != "fc1"]
    kept = sum(s["words"] * s["kept"] for s in pruned) / sum(s["words"] for s in pruned)
    assert row["share_pruned"] == pytest.approx(100 - kept, abs=0.01)


def test_channels_that_are_gone_are_pruned_words(tmp_path):
    """Half of conv2's outputs and all words that read them are gone; the network is still itself."""
    whole = random_artifact(tiny(), seed=3, kind="dense")
    whole.layers["fc1"].weight[:, 5:] = 0
    sparse = {name: Sparsity("filter", 16, 32) for name in ("conv2", "fc1")}
    model(tmp_path / "dense", kind="dense")
    less = drop_channels(replace(whole, sparsity=sparse))
    assert [layer.out_channels for layer in less.network.layers[:2]] == [9, 5]
    less.save(tmp_path / "filter" / "model.npz")
    dense, few = rows(tmp_path / "filter", tmp_path / "dense", array=SMALL)
    assert (dense["share_pruned"], few["scheme"]) == (0, "filter")
    assert few["share_pruned"] == pytest.approx(50, abs=0.05)  # a random word is zero now and then
    assert few["cycles"] < dense["cycles"] and few["storage_bits"] < dense["storage_bits"]
    # Operations are those before pruning for both.
    assert compile_program(less, SMALL).operations == tiny().operations > less.network.operations
    ratio = few["op_per_dsp_cycle"] / dense["op_per_dsp_cycle"]
    assert ratio == pytest.approx(dense["cycles_batch"] / few["cycles_batch"], rel=1e-3)


@pytest.mark.parametrize(
    ("sets", "name"),
    [
        ([Sparsity(), Sparsity("uniform", 2, 8)], "2:8"),
        ([Sparsity("kernel", 8, 32), Sparsity("adaptive", 2, 8, 8)], "kernel"),
        ([Sparsity("adaptive", 1.5, 8, 64)], "adaptive-1.5:8"),
        ([Sparsity(), Sparsity()], "dense"),
        ([Sparsity(), Sparsity("pattern", 8, 32, 8), Sparsity("adaptive", 2, 8, 8)], "pattern"),
        ([Sparsity("row-column", 8, 32)], "row-column"),
    ],
)
def test_a_scheme_is_named_after_the_first_pruned_layer(sets, name):
    artifact = random_artifact(tiny(), kind="dense")
    layers = [layer.name for layer in artifact.network.layers]
    assert scheme(replace(artifact, sparsity=dict(zip(layers, sets, strict=False)))) == name


def test_rows_go_from_the_freest_kind_to_the_most_regular_and_from_dense_to_sparse(tmp_path):
    kinds = [("combined", 8), ("kernel", 4), ("uniform", 2), ("kernel", 8), ("adaptive", 2), ("dense", 0)]
    for number, (kind, keep) in enumerate(kinds):
        artifact = random_artifact(tiny(), seed=number, kind="kernel", density=(keep or 32) / 32)
        sparse = {layer.name: Sparsity(kind, keep, 8, 8) for layer in tiny().layers}
        replace(artifact, sparsity=sparse).save(tmp_path / str(number) / "model.npz")
    found = rows(*(tmp_path / str(i) for i in range(len(kinds))), array=SMALL)
    names = ["dense", "kernel", "kernel", "2:8", "adaptive-2:8", "combined"]
    assert [row["scheme"] for row in found] == names
    assert found[1]["share_pruned"] < found[2]["share_pruned"]


def test_every_kind_of_the_pruning_library_has_its_place():
    from hw.contract.sparsity import NAMES
    from pruning.patterns import quarter

    artifact = random_artifact(tiny(), kind="dense")
    named = {kind: scheme(replace(artifact, sparsity={"conv1": quarter(kind)})) for kind in NAMES}
    assert {kind: comparison.family(name) for kind, name in named.items()} == {kind: kind for kind in NAMES}
    assert sorted(comparison.FAMILIES) == sorted([*NAMES, "dense"])
    assert (named["uniform"], named["adaptive"], named["darb"]) == ("2:8", "adaptive-2:8", "darb")


def test_different_networks_are_not_compared(tmp_path):
    for name, network in (("a", tiny()), ("b", lenet())):
        model(tmp_path / name, network)
    with pytest.raises(ConfigError, match="lenet and tiny"):
        rows(tmp_path / "a", tmp_path / "b")


def test_networks_of_one_name_and_other_layers_are_not_compared(tmp_path):
    conv1, conv2, *rest = tiny().layers
    other = replace(conv1, out_channels=4), replace(conv2, in_channels=4), *rest
    model(tmp_path / "a")
    model(tmp_path / "b", replace(tiny(), layers=other))
    with pytest.raises(
        ConfigError, match=r"the tiny in .*b has other layers than that in .*a: leave one out"
    ):
        rows(tmp_path / "a", tmp_path / "b")


def test_the_same_model_does_not_count_twice(tmp_path):
    for name in "ab":
        model(tmp_path / name)
    with pytest.raises(ConfigError, match=r"a and .*b hold the same model"):
        rows(tmp_path / "a", tmp_path / "b")


def test_a_folder_without_a_model_is_named(tmp_path):
    model(tmp_path / "a")
    with pytest.raises(ArtifactError, match=r"no artifact at .*nothing.model\.npz"):
        rows(tmp_path / "a", tmp_path / "nothing")


def test_a_design_of_other_weights_is_refused(fake_design):
    replace(fake_design.artifact, provenance={"seed": 99}).save(fake_design.folder / "model.npz")
    with pytest.raises(DigestMismatch, match="generate"):
        rows(fake_design.folder)


def test_designs_of_different_arrays_are_not_compared(fake_design, tiny_images, monkeypatch):
    verify(fake_design.design, fake_design.artifact, tiny_images)
    (one,) = models.read([fake_design.folder])
    counted = comparison.counted(one)
    sizes = iter([counted, replace(counted, config=SMALL)])
    monkeypatch.setattr(comparison, "counted", lambda model: next(sizes))
    with pytest.raises(ConfigError, match=r"N=8 P=2 batch 2 and N=8 P=4 batch 4.*--rows 64 --lanes 10"):
        comparison.rows([one, one])


def test_progress_names_kind_and_layer_and_grows(tmp_path):
    for name, seed in (("a", 1), ("b", 2)):
        model(tmp_path / name, seed=seed)
    told = []
    comparison.rows(
        models.read([tmp_path / "a", tmp_path / "b"]), SMALL, progress=lambda *what: told.append(what)
    )
    assert [what for _, _, what in told[:4]] == [
        f"adaptive-2:8, {n}" for n in ("conv1", "conv2", "fc1", "fc2")
    ]
    assert np.all(np.diff([done for done, _, _ in told]) > 0) and told[-1][0] < told[-1][1] == 2
