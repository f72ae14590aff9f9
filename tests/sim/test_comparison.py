"""The table that sets models side by side, from files that every stage left."""

import json
from dataclasses import replace

import pytest

from hw.artifact import Sparsity, random_artifact
from hw.errors import ConfigError
from hw.network import lenet, tiny
from sim import comparison
from sim.report import ACCURACY_NAME, scheme
from sim.verify import verify


def test_a_row_holds_what_the_stages_measured(fake_design, tiny_images):
    verify(fake_design.design, fake_design.artifact, tiny_images)
    digest = fake_design.artifact.digest
    measured = {"digest": digest, "dense": 99.0, "pruned": 98.75, "integer": 98.5}
    (fake_design.folder / ACCURACY_NAME).write_text(json.dumps(measured))
    (row,) = comparison.rows([fake_design.folder])
    assert (row["accuracy_dense"], row["accuracy_float"], row["accuracy_integer"]) == (99.0, 98.75, 98.5)
    assert (row["cycles"], row["cycles_batch"]) == (4600, 16_600)  # of the fixture's counters
    assert row["storage_bits"] % 8 == 0 and row["storage_bits"] >= fake_design.info.estimates["weight_bits"]
    words = [(s["words"], s["kept"]) for s in comparison.assemble(fake_design.folder)["sparsity"].values()]
    kept = sum(n * share / 100 for n, share in words) / sum(n for n, _ in words)
    assert row["share_pruned"] == pytest.approx(100 * (1 - kept), abs=0.01)
    table = comparison.markdown([row])
    assert "98.75" in table and "16,600" in table and "adaptive-2:8" in table


def test_layers_without_a_constraint_do_not_dilute_the_share(tmp_path):
    artifact = random_artifact(lenet(), seed=1, density=0.25)
    sparse = dict(artifact.sparsity)
    sparse["fc1"] = Sparsity()
    replace(artifact, sparsity=sparse).save(tmp_path / "model.npz")
    row = comparison.row(tmp_path)
    assert row["cycles"] is None and row["storage_bits"] is None
    without = comparison.assemble(tmp_path)["sparsity"]
    pruned = [layer for name, layer in without.items() if name != "fc1"]
    kept = sum(s["words"] * s["kept"] for s in pruned) / sum(s["words"] for s in pruned)
    assert row["share_pruned"] == pytest.approx(100 - kept, abs=0.01)


@pytest.mark.parametrize(
    ("sets", "name"),
    [
        ([Sparsity(), Sparsity("uniform", 2, 8)], "2:8"),
        ([Sparsity("kernel", 8, 32), Sparsity("adaptive", 2, 8, 8)], "kernel"),
        ([Sparsity("adaptive", 1.5, 8, 64)], "adaptive-1.5:8"),
        ([Sparsity(), Sparsity()], "dense"),
    ],
)
def test_a_scheme_is_named_after_the_first_pruned_layer(sets, name):
    artifact = random_artifact(tiny(), kind="dense")
    layers = [layer.name for layer in artifact.network.layers]
    assert scheme(replace(artifact, sparsity=dict(zip(layers, sets, strict=False)))) == name


def test_different_networks_are_not_compared(tmp_path):
    for name, network in (("a", tiny()), ("b", lenet())):
        random_artifact(network, seed=1).save(tmp_path / name / "model.npz")
    with pytest.raises(ConfigError, match="lenet and tiny"):
        comparison.rows([tmp_path / "a", tmp_path / "b"])
