"""Features, index and search on the command line: results, and one sentence for every mistake."""

import json

import numpy as np
import pytest
from PIL import Image

from hw.contract.artifact import random_artifact
from hw.contract.features import load
from hw.contract.network import Conv, Network, lenet, tiny
from pruning import data
from sim import model
from tests.bitstreams import serial_wire
from tests.test_cli_boards import wire  # noqa: F401 (a fixture)

ARTIFACT = random_artifact(tiny(), seed=5)
IMAGES = np.random.default_rng(8).integers(0, 256, (6, *tiny().input), np.uint8)


@pytest.fixture
def files(tmp_path):
    """A model and images of the tiny network."""
    ARTIFACT.save(tmp_path / "model.npz")
    np.savez(tmp_path / "images.npz", image=IMAGES, label=np.arange(6) % 2)
    return tmp_path


# --- features -----------------------------------------------------------------------------------------


def test_features_of_the_integer_model(run, files, monkeypatch):
    monkeypatch.chdir(files)
    result = run("features", "model.npz", "images.npz", "--layer", "conv2", "--json")
    assert result.code == 0, result.err
    said, found = json.loads(result.out), load(files / "build" / "features" / "tiny-conv2.npz")
    assert said["images"] == 6 and said["pixels"] == 20 and said["vector"] == "10"
    assert np.array_equal(found.vectors, model.features(ARTIFACT, IMAGES, "conv2"))
    assert found.labels.tolist() == [0, 1] * 3 and found.about.source == "integer model"
    assert found.about.command == "spec2 features model.npz images.npz --layer conv2 --json"
    text = run("features", "model.npz", "images.npz", "images.npz", "--layer", "conv2", "--first", "7").out
    assert ["images", "7"] in [line.split() for line in text.splitlines()]


def test_a_folder_of_pictures_is_read_file_by_file(run, tmp_path):
    network = Network("grey", (1, 5, 7), (Conv("c", 1, 4, 3, padding=1),))
    artifact = random_artifact(network, seed=5)
    artifact.save(tmp_path / "model.npz")
    pixels = np.random.default_rng(1).integers(0, 256, (3, 5, 7), np.uint8)
    (tmp_path / "pictures").mkdir()
    for number, picture in enumerate(pixels):
        Image.fromarray(picture).save(tmp_path / "pictures" / f"{number}.png")
    options = ["--layer", "c", "--form", "maps", "--out", tmp_path / "f.npz"]
    assert run("features", tmp_path / "model.npz", tmp_path / "pictures", *options).code == 0
    found = load(tmp_path / "f.npz")
    assert found.labels is None
    assert np.array_equal(found.vectors, model.features(artifact, pixels, "c", "maps"))


def test_a_data_set_by_name(run, tmp_path, monkeypatch):
    artifact = random_artifact(lenet(), seed=5)
    artifact.save(tmp_path / "model.npz")
    rng = np.random.default_rng(2)
    for part, count in (("train", 3), ("test", 2)):
        pixels, labels = rng.integers(0, 256, (count, 28, 28), np.uint8), rng.integers(0, 10, count, np.uint8)
        np.savez(tmp_path / f"mnist_{part}.npz", image=pixels, label=labels)
    found = data.load("mnist", tmp_path)
    for part, images, labels in (
        ("train", found.train_images, found.train_labels),
        ("test", found.test_images, found.test_labels),
    ):
        options = ["--layer", "fc1", "--data-dir", tmp_path, "--out", tmp_path / "f.npz"]
        assert run("features", tmp_path / "model.npz", f"mnist:{part}", *options).code == 0
        made = load(tmp_path / "f.npz")
        assert np.array_equal(made.vectors, model.features(artifact, images, "fc1"))
        assert made.labels.tolist() == labels.tolist()
        assert "--data-dir DIR" in made.about.command, "others have it elsewhere"


def test_features_of_a_board(run, wire, tmp_path):  # noqa: F811
    np.save(tmp_path / "x.npy", serial_wire.IMAGES)
    arguments = ["features", wire.design / "model.npz", tmp_path / "x.npy", "--design", wire.design]
    arguments += ["--layer", "f", "--link", "uart:/dev/tty9", "--out", tmp_path / "f.npz"]
    assert run(*arguments).code == 0
    found = load(tmp_path / "f.npz")
    assert np.array_equal(found.vectors, serial_wire.SCORES)
    assert found.about.source == "uart", "the port is no business of who reads it"
    assert found.about.scores and wire.opened[0][0] == "uart:/dev/tty9"


def test_ended_and_started_again(run, files, monkeypatch):
    """As Ctrl-C ends it, in the second block."""
    monkeypatch.setattr("hw.host.extraction.BLOCK", 2)
    done, computed = [], model.run

    def ended(artifact, images, **options):
        if len(done) == 1 and end:
            raise KeyboardInterrupt
        done.append(len(images))
        return computed(artifact, images, **options)

    monkeypatch.setattr(model, "run", ended)
    arguments = [
        "features",
        files / "model.npz",
        files / "images.npz",
        "--layer",
        "conv1",
        "--out",
        files / "f.npz",
    ]
    end = True
    result = run(*arguments)
    assert result.code == 130 and not (files / "f.npz").exists()
    end = False
    assert run(*arguments).code == 0 and done == [2, 2, 2]
    assert np.array_equal(load(files / "f.npz").vectors, model.features(ARTIFACT, IMAGES, "conv1"))


FEATURE_MISTAKES = {
    "no layer": (["--layer", "conv9"], "has no layer 'conv9': choose from conv1, conv2, fc1, fc2"),
    "another form": (["--form", "median"], "'median' is not one of 'average', 'flat', 'maps'"),
    "two sources": (["--verilog", "--link", "virtual"], "leave out --verilog or --link"),
    "no design": (["--verilog"], "spec2 generate"),
    "a link that is none": (["--link", "ftdi:1"], "there is no link 'ftdi:1'"),
    "too many": (["--first", "7"], "there are 6 images, not 7"),
}


@pytest.mark.parametrize(("options", "names"), FEATURE_MISTAKES.values(), ids=FEATURE_MISTAKES)
def test_features_that_cannot_be_made_are_a_sentence(run, files, options, names):
    layer = [] if "--layer" in options else ["--layer", "conv1"]
    out = ["--out", files / "f.npz"]
    assert (
        names in run("features", files / "model.npz", files / "images.npz", *layer, *options, *out).sentence
    )
    assert not (files / "f.npz").exists()


@pytest.mark.parametrize(
    ("images", "names"),
    [
        ("mnist:valid", "there is no part 'valid' of mnist: write mnist:train or mnist:test"),
        ("mnist:test", "takes images of 2×9×11, and those of mnist are 1×28×28"),
        ("cifar10:test", "comes with no package"),
        ("nothing.npz", "there is no file nothing.npz"),
        ("model.npz", "cannot read"),
    ],
)
def test_images_that_are_none_are_a_sentence(run, files, monkeypatch, images, names):
    monkeypatch.chdir(files)
    assert names in run("features", "model.npz", images, "--layer", "conv1", "--out", "f.npz").sentence
    assert sorted(path.name for path in files.iterdir()) == ["images.npz", "model.npz"]


def test_a_design_of_another_model_is_refused(run, files, fake_design):
    random_artifact(tiny(), seed=6).save(files / "other.npz")
    arguments = ["features", files / "other.npz", files / "images.npz", "--layer", "conv1", "--verilog"]
    arguments += ["--design", fake_design.design, "--out", files / "f.npz"]
    assert "name another with --design" in run(*arguments).sentence
