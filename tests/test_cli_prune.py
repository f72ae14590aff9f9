"""spec2 prune: what it trains, measures and leaves."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from hw.contract.artifact import load, random_artifact
from hw.contract.network import lenet
from pruning import data


def test_prune_measures_with_the_integer_model(run, monkeypatch, tmp_path):
    """The recipe is replaced by one that needs no time; its artifact is measured for real."""
    job = pytest.importorskip("pruning.training.run")
    digits, seen = _digits(20), {}
    artifact = random_artifact(lenet(), seed=2)

    def train(recipe, *, out, progress, **options):
        seen.update(options, recipe=recipe)
        progress(SimpleNamespace(done=0.5, describe=lambda: "admm, epoch 1 of 2"))
        artifact.save(out / "model.npz")
        return SimpleNamespace(
            accuracy={"dense": 99.0, "pruned": 98.0, "mirror": 97.0}, seconds=61.2, first=True
        )

    monkeypatch.setattr(job, "run", train)
    monkeypatch.setattr(data, "load", lambda name, data_dir: digits)
    out = tmp_path / "net"
    where = ("--data-dir", tmp_path, f"--data-dir={tmp_path}")
    result = run(
        "prune",
        "--sparsity",
        "kernel",
        "--out",
        out,
        "--seed",
        "4",
        "--fresh",
        "--json",
        "--tensorboard",
        *where,
    )
    assert result.code == 0
    report = json.loads(result.out)
    from sim import model

    correct = (model.run(artifact, digits.test_images).argmax(axis=1) == digits.test_labels).mean()
    assert report["accuracy"] == {"dense": 99.0, "pruned": 98.0, "mirror": 97.0, "integer": 100 * correct}
    assert report["model"] == str(out / "model.npz")
    recipe = seen.pop("recipe")
    assert (recipe.name, recipe.sparsity, recipe.seed) == ("lenet", "kernel", 4)
    assert (recipe.weight_bits, recipe.block, recipe.optimiser) == (8, 8, "admm")
    assert seen == {"data_dir": tmp_path, "resume": False, "device": "cpu", "tensorboard": True}
    about = json.loads((out / "training.json").read_text())
    command = f"spec2 prune --sparsity kernel --out {out} --seed 4 --fresh --json --tensorboard"
    command += " --data-dir DIR --data-dir=DIR"  # others have the data elsewhere
    assert about == {"digest": artifact.digest, "seconds": 61, "command": command}


def test_prune_hands_widths_to_the_recipe(run, monkeypatch, tmp_path):
    job, seen = pytest.importorskip("pruning.training.run"), []

    def train(recipe, **options):
        seen.append(recipe)
        return SimpleNamespace(first=False)

    monkeypatch.setattr(job, "run", train)
    given = ("--layer-bits", "conv2=5", "--layer-bits", "fc1=3", "--weight-bits", "6")
    given += ("--spectrum-bits", "11")
    assert run("prune", *given).code == run("prune", "--mean-bits", "4.5").code == 0
    assert seen[0].layer_bits == {"conv2": 5, "fc1": 3} and seen[0].weight_bits == 6
    assert seen[0].spectrum_bits == 11
    assert seen[0].bits is None and seen[1].bits.mean == 4.5 and seen[1].layer_bits == {}


def test_prune_untrained_makes_layers_of_their_own_widths(run, tmp_path):
    pytest.importorskip("torch")
    text = run("prune", "lenet", "--untrained", "--layer-bits", "fc1=3", "--out", tmp_path / "net").out
    assert load(tmp_path / "net" / "model.npz").layer_bits == {"fc1": 3}
    assert "(adaptive, 3 bits)" in " ".join(text.split())


def test_a_design_that_an_earlier_model_left_does_not_spoil_a_training(run, tmp_path):
    """It comes to light after hours. The report is of the model alone, and says what to do."""
    recipe, out = tmp_path / "mine.toml", tmp_path / "net"
    recipe.write_text('network = "tiny"\ndata = "mnist"\n')
    arguments = ["prune", recipe, "--untrained", "--out", out]
    assert run(*arguments).code == 0
    assert run("generate", out / "model.npz", "--rows", "4", "--lanes", "1", "--batch", "1").code == 0
    assert json.loads(run(*arguments, "--json").out)["config"]["rows"] == 4, "the same model again"
    for changed, name, text in (
        (["--seed", "1"], "design.json", None),
        ([], "spec2.v", "module spec2; endmodule\n"),
        ([], "design.json", "{"),
    ):
        if text:
            (out / "design" / name).write_text(text)
        result = run(*arguments, *changed)
        assert result.code == 0 and "The design that lies there is not of this model" in result.out
        assert f"spec2generate{out}/model.npz" in "".join(result.out.split()), "in lines of a terminal"
        kept = json.loads((out / "report.json").read_text())
        assert "config" not in kept and kept["digest"] == load(out / "model.npz").digest


def test_prune_untrained_takes_a_recipe(run, tmp_path):
    """Its network, sets of single layers, widths and seed; options count before it."""
    pytest.importorskip("torch")
    path = tmp_path / "mine.toml"
    text = (
        'network = "tiny"\ndata = "mnist"\nsparsity = "kernel-1:4"\nseed = 3\n[layers]\nfc1 = "uniform-4:8"\n'
    )
    path.write_text(text + "[layer_bits]\nfc2 = 4\n")
    assert run("prune", path, "--untrained", "--out", tmp_path / "a").code == 0
    made = load(tmp_path / "a" / "model.npz")
    assert made.network.name == "tiny" and made.layer_bits == {"fc2": 4} and made.provenance["seed"] == 3
    kinds = {name: (one.kind, one.keep) for name, one in made.sparsity.items()}
    assert kinds["conv1"][0] == kinds["fc2"][0] == "dense" and kinds["fc1"] == ("uniform", 4)
    assert kinds["conv2"] == ("kernel", 8) and made.layers["conv2"].mask.sum(-1).max() <= 8
    assert run("prune", path, "--untrained", "--seed", "4", "--out", tmp_path / "b").code == 0
    assert load(tmp_path / "b" / "model.npz").provenance["seed"] == 4
    for entry, words in (("[target]\ncycles = 9\n", "[target]"), ("[bits]\nmean = 5\n", "[bits]")):
        path.write_text(text + entry)
        answer = run("prune", path, "--untrained", "--out", tmp_path / "c")
        assert answer.code == 2 and f"{words} in recipe 'mine' finds" in answer.err
    assert not (tmp_path / "c").exists()


def _digits(count):
    rng = np.random.default_rng(21)
    images = rng.integers(0, 256, (count, 1, 28, 28), np.uint8)
    labels = rng.integers(0, 10, count).astype(np.uint8)
    return data.ImageSet(images, labels, images, labels, "random")
