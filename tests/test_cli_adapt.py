"""``spec2 adapt`` from files to a model that all commands take, and one sentence for every mistake."""

import json
from functools import partial

import numpy as np
import pytest

from hw.contract.artifact import load, random_artifact
from hw.contract.network import Conv, Dense, Network, tiny
from sim import model as integer_model

pytest.importorskip("torch")


def network():
    return Network(
        "striped",
        (1, 12, 12),
        (Conv("conv", 1, 16, 3, padding=1, pool=2), Dense("fc1", 576, 40), Dense("fc2", 40, 4, relu=False)),
    )


def stripes(count, seed=0):
    """Images of three classes: stripes down, stripes across, neither; with noise, anywhere."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 120, (count, 12, 12))
    for image, label in zip(images, labels, strict=True):
        lines = (np.arange(12) + rng.integers(3)) % 3 == 0
        image += 130 * (lines[None, :] if label == 0 else lines[:, None] if label == 1 else 0)
    return {"image": images.astype(np.uint8), "label": labels}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Model and images; heads take few steps."""
    from pruning.transfer import adaptation

    monkeypatch.setattr(adaptation, "train", partial(adaptation.train, steps=300))
    random_artifact(network(), seed=5, kind="dense").save(tmp_path / "model.npz")
    np.savez(tmp_path / "few.npz", **stripes(60))
    np.savez(tmp_path / "test.npz", **stripes(300, seed=1))
    return tmp_path


def arguments(files, *more):
    return ["adapt", str(files / "model.npz"), str(files / "few.npz"), "--out", str(files / "new"), *more]


@pytest.mark.parametrize(("options", "threads"), [([], 1), (["--threads", "3"], 3)])
def test_the_last_layer_is_trained_by_one_thread_unless_more_are_asked_for(
    run, files, monkeypatch, options, threads
):
    """Where others use the cores, too, two threads took 189 s for what one does in 3."""
    import torch

    from pruning.transfer import adaptation

    seen, before, train = [], torch.get_num_threads(), adaptation.train

    def watched(*given, **named):
        seen.append(torch.get_num_threads())
        return train(*given, **named)

    monkeypatch.setattr(adaptation, "train", watched)
    torch.set_num_threads(2)
    try:
        assert run(*arguments(files, *options, "--augmentation", "none")).code == 0
    finally:
        torch.set_num_threads(before)
    assert seen == [threads]


@pytest.mark.parametrize("augmentation", ["maps", "images", "none"])
def test_a_base_of_random_weights_learns_new_classes(run, files, augmentation):
    """Far better than chance, as the integer model of what was written says; a third is chance."""
    options = ["--augmentation", augmentation, "--changes", "shift", "--test", str(files / "test.npz")]
    result = json.loads(run(*arguments(files, *options), "--json").out)
    made = load(files / "new" / "model.npz")
    held = stripes(300, seed=1)
    answers = integer_model.run(made, held["image"]).argmax(1)
    assert (
        result["accuracy"] == pytest.approx(100 * (answers == held["label"]).mean(), abs=0.01)
        and result["accuracy"] > 60
    )
    assert (
        result["digest"] == made.digest
        and result["base"] == load(files / "model.npz").digest == made.provenance["base"]
    )
    assert result["runs"] == {"maps": 60 + 24 * 4, "images": 60 * 5, "none": 60}[augmentation]
    assert result["images"] == 60 and result["classes"] == 3 and result["test_images"] == 300
    report = run("report", str(files / "new"))
    assert report.code == 0 and f"{result['accuracy']:.2f}" in report.out


def test_a_fifth_is_held_back_and_maps_come_from_other_images(run, files):
    """Without labels these are, and none of the few is run twice."""
    np.savez(files / "others.npz", images=stripes(30, seed=2)["image"])
    options = ["--calibrate", str(files / "others.npz"), "--changes", "flip", "--form", "linear"]
    result = json.loads(run(*arguments(files, *options), "--json").out)
    assert result["images"] == 48 and result["test_images"] == 12 and result["runs"] == 48 + 2 * 30
    assert load(files / "new" / "model.npz").provenance["head"] == {
        "classes": 3,
        "images": 48,
        "augmentation": "maps",
        "form": "linear",
        "changes": ["flip"],
        "seed": 0,
    }


def test_the_result_takes_the_whole_road(run, files):
    assert run(*arguments(files, "--augmentation", "none")).code == 0
    made = str(files / "new" / "model.npz")
    assert run("estimate", made, "--rows", "4", "--lanes", "2", "--batch", "2").code == 0


MISTAKES = {
    "no labels": ({"image": stripes(60)["image"]}, [], "few.npz has no labels: give an array 'label'"),
    "no class 1": (
        {"label": np.arange(60) % 2 * 2},
        [],
        "class 1 has 0 images, and labels reach from 0 to 2",
    ),
    "too many": ({"label": np.arange(60) % 5}, [], "labels reach from 0 to 4"),
    "one class": (
        {"label": np.zeros(60, int)},
        [],
        "there are 1 classes, and network 'striped' has 4 outputs",
    ),
    "rare": ({"label": np.array([0] * 57 + [1] * 3)}, [], "class 1 has 3 images, and one in 5 is held back"),
    "another size": (
        {"image": np.zeros((60, 9, 9), np.uint8)},
        [],
        "do not fit a network whose input is 1×12×12",
    ),
    "no file": ({}, ["--test", "nowhere.npz"], "there is no file nowhere.npz"),
    "method": ({}, ["--augmentation", "magic"], "unknown augmentation 'magic': choose from none, images"),
    "form": ({}, ["--form", "cubic"], "unknown form of maps 'cubic': choose from move"),
    "change": ({}, ["--changes", "flip,spin"], "there is no augmentation 'spin': choose from flip"),
    "share": ({}, ["--share", "0"], "share must be above 0 and at most 1, not 0"),
    "calibrate": ({}, ["--augmentation", "none", "--calibrate", "x"], "--calibrate is for learned maps"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_get_one_sentence(run, files, mistake):
    change, options, said = MISTAKES[mistake]
    found = {**stripes(60), **change}
    if "image" in change and "label" not in change and mistake == "no labels":
        found = change
    np.savez(files / "few.npz", **found)
    result = run(*arguments(files, *options))
    assert result.code == 2 and said in result.err and len(result.err.strip().splitlines()) <= 2
    assert not (files / "new").exists()


def test_a_model_that_ends_in_a_map_is_refused(run, files):
    flat = Network("flat", (1, 12, 12), (Conv("conv", 1, 4, 3, padding=1),))
    random_artifact(flat, seed=0).save(files / "model.npz")
    result = run(*arguments(files))
    assert result.code == 2 and "network 'flat' ends in a feature map" in result.err
    random_artifact(tiny(), seed=0).save(files / "model.npz")
    assert "do not fit a network whose input is 2×9×11" in run(*arguments(files)).err
