"""``spec2 robustness``: figures are the integer model's, beside clocks; one sentence for every mistake."""

import json

import numpy as np
import pytest

from hw.contract.artifact import load, random_artifact
from hw.contract.network import Conv, Dense, Network
from sim import model as integer_model

pytest.importorskip("kornia")

NETWORK = Network(
    "seen", (1, 12, 12), (Conv("conv", 1, 8, 3, padding=1, pool=2), Dense("fc", 288, 4, relu=False))
)


@pytest.fixture
def files(tmp_path):
    """Two models, and images with labels that the first one gives to most."""
    rng = np.random.default_rng(0)
    for name, kind in (("a", "dense"), ("b", "adaptive")):
        random_artifact(NETWORK, seed=1, kind=kind, density=0.5).save(tmp_path / name / "model.npz")
    images = rng.integers(0, 256, (40, 1, 12, 12)).astype(np.uint8)
    labels = integer_model.run(load(tmp_path / "a" / "model.npz"), images).argmax(1)
    labels[::5] = (labels[::5] + 1) % 4
    np.savez(tmp_path / "images.npz", image=images, label=labels)
    return tmp_path


def arguments(files, *more):
    quick = [
        "--images",
        files / "images.npz",
        "--steps",
        "2",
        "--areas",
        "0.1",
        "--corruptions",
        "noise,contrast",
    ]
    return ["robustness", files / "a", files / "b", *quick, "--out", files / "out", *more]


def test_figures_stand_beside_clocks_and_storage(run, files):
    result = run(*arguments(files, "--plot", files / "plot.svg", "--json"))
    assert result.code == 0, result.err
    data = json.loads(result.out)
    with np.load(files / "images.npz") as held:
        images, labels = held["image"][::2], held["label"][::2]
    for row in data["models"]:
        right = integer_model.run(load(files / row["model"] / "model.npz"), images).argmax(1) == labels
        assert row["clean"] == pytest.approx(100 * right.mean())
        assert set(row["corruptions"]) == {"noise", "contrast"}
    assert [row["model"] for row in data["models"]] == ["a", "b"] and data["models"][0]["clean"] == 80
    compared = {
        row["digest"]: row for row in json.loads(run("compare", files / "a", files / "b", "--json").out)
    }
    for row in data["models"]:
        assert row["cycles"] == compared[row["digest"]]["cycles"] > 0
        assert row["storage_bits"] == compared[row["digest"]]["storage_bits"] > 0
    assert (data["test_images"], data["learned_from"], data["images"]) == (20, 20, "images.npz")
    assert json.loads((files / "out" / "robustness.json").read_text()) == data
    picture = (files / "plot.svg").read_text()
    assert "dense, 8 bits" in picture and "adaptive-4:8, 8 bits" in picture


def test_tables_name_every_model_and_patch(run, files):
    text = run(*arguments(files)).out
    for head in ("clean %", "noise %", "contrast %", "grey 10%", "own 10%", "shared 10%", "learned on"):
        assert head in text
    alone = " ".join(run("robustness", files / "a", *arguments(files)[3:]).out.split())
    assert "own 10%" in alone and "shared" not in alone and "learned on the model itself;" in alone


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--areas", "0.1,x"], "--areas are shares of the image"),
        (["--areas", "0.1,0.1"], "--areas names a share twice"),
        (["--areas", "1.5"], "between 0 and 1, not 1.5"),
        (["--corruptions", "fog"], "there is no corruption 'fog'"),
        (["--plot", "p.pdf"], "a plot is an .svg or a .png file"),
    ],
)
def test_mistakes_are_said_before_anything_is_measured(run, files, more, sentence):
    result = run(*arguments(files, *more))
    assert result.code == 2 and sentence in result.sentence
    assert not (files / "out").exists()


def test_images_without_labels_and_networks_without_images(run, files):
    np.savez(files / "bare.npz", image=np.zeros((20, 1, 12, 12), np.uint8))
    result = run("robustness", files / "a", "--images", files / "bare.npz")
    assert result.code == 2 and "has no labels" in result.sentence
    result = run("robustness", files / "a")
    assert result.code == 2 and "no images for network 'seen' are at hand" in result.sentence
