"""Features, index and search on the command line: results, and one sentence for every mistake."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hw.contract.artifact import random_artifact
from hw.contract.features import load
from hw.contract.network import Conv, Network, lenet, tiny
from pruning import data
from pruning.transfer.search import index
from sim import model
from tests.bitstreams import serial_wire
from tests.design_folder import save_design
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


def test_a_feature_that_differs_is_named_and_ends_with_1(run, wire, tmp_path, monkeypatch):  # noqa: F811
    wrong = {image: scores.copy() for image, scores in serial_wire.KNOWN.items()}
    list(wrong.values())[2][1] += 4
    monkeypatch.setattr(serial_wire, "KNOWN", wrong)
    np.save(tmp_path / "x.npy", serial_wire.IMAGES)
    arguments = ["features", wire.design / "model.npz", tmp_path / "x.npy", "--design", wire.design]
    arguments += ["--layer", "f", "--link", "virtual", "--out", tmp_path / "f.npz"]
    result = run(*arguments, "--verify")
    assert result.code == 1 and "image 2, number 1" in " ".join(result.out.split()) and "+4 LSB" in result.out
    result = run(*arguments, "--verify", "--json")
    assert result.code == 1 and "1 of 15 values differ" in json.loads(result.out)["mismatch"]
    assert run(*arguments).code == 0, "nobody has asked"
    result = run(*arguments[:-2], "--out", tmp_path / "g.npz", "--verify", "--first", "2")
    assert result.code == 0 and "All features of 2 images equal the integer model's." in result.out


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


def test_a_layer_in_row_bands_is_refused_before_anything_runs(run, files, fake_design):
    """Its map is never in the feature memory whole; that of the last of them is."""
    save_design(
        fake_design.design, replace(fake_design.info, numbers=(0, 1, 0, 1, 2, 3)), {"spec2.v": "module\n"}
    )
    arguments = [
        "features",
        files / "model.npz",
        files / "images.npz",
        "--verilog",
        "--design",
        fake_design.design,
    ]
    arguments += ["--out", files / "f.npz", "--layer"]
    assert "the design never holds what layer 'conv1' makes as a whole" in run(*arguments, "conv1").sentence


# --- index and search -----------------------------------------------------------------------------------


@pytest.fixture
def indexed(run, files):
    """An index of the six images, and features of three of them in ``three.npz``."""
    shared = ["features", files / "model.npz", files / "images.npz", "--layer", "conv2", "--form", "flat"]
    assert run(*shared, "--out", files / "f.npz").code == 0
    assert run(*shared, "--first", "3", "--out", files / "three.npz").code == 0
    assert run("index", files / "f.npz", "--bits", "16", "--out", files / "i.npz").code == 0
    return files


@pytest.mark.parametrize(("method", "bits"), [("iiq", 24), ("itq", 24), ("sign", 24), ("float", 0)])
def test_index_says_what_it_made(run, indexed, method, bits):
    arguments = ["index", indexed / "f.npz", "--method", method, "--bits", bits, "--out", indexed / "x.npz"]
    result = run(*arguments, "--json")
    assert result.code == 0, result.err
    said, made = json.loads(result.out), index.load(indexed / "x.npz")
    assert (said["method"], said["bits"], said["bytes_per_image"]) == (method, bits, made.bytes_per_image)
    assert said["images"] == 6 and made.labels.tolist() == [0, 1] * 3
    turned = method in ("iiq", "itq")
    assert (said["quantisation_error"] is not None) == turned
    assert not turned or said["quantisation_error"][1] <= said["quantisation_error"][0]
    assert "bytes per image" in run(*arguments).out


def test_float_needs_no_bits(run, indexed):
    assert run("index", indexed / "f.npz", "--method", "float", "--out", indexed / "x.npz").code == 0
    assert index.load(indexed / "x.npz").coder.bits == 0


def test_search_by_features_and_by_images_finds_the_same(run, indexed):
    known, asked = index.load(indexed / "i.npz"), load(indexed / "three.npz")
    found, distances = known.nearest(asked, 4)
    arguments = ["search", indexed / "i.npz", "--nearest", "4", "--json"]
    by_features = run(*arguments, indexed / "three.npz")
    by_images = run(*arguments, indexed / "images.npz", "--first", "3", "--model", indexed / "model.npz")
    data = json.loads(by_features.out)
    assert json.loads(by_images.out) == data, by_images.err
    assert [row["images"] for row in data["queries"]] == found.tolist()
    assert [row["distances"] for row in data["queries"]] == distances.tolist()
    assert [row["images"][0] for row in data["queries"]] == [0, 1, 2] and distances[:, 0].tolist() == [0] * 3
    assert [row["label"] for row in data["queries"]] == [0, 1, 0]
    same = [[label == i % 2 for label in row["labels"]] for i, row in enumerate(data["queries"])]
    assert data["same_label"] == round(100 * np.mean(same), 2)
    text = run("search", indexed / "i.npz", indexed / "three.npz", "--first", "1", "--nearest", "1").out
    assert "0 (0)" in text and "100.0 % of the images found have the query's label" in " ".join(text.split())


def test_search_draws_a_sheet(run, tmp_path):
    network = Network("grey", (1, 5, 7), (Conv("c", 1, 8, 3, padding=1),))
    random_artifact(network, seed=5).save(tmp_path / "model.npz")
    pixels = np.random.default_rng(1).integers(0, 256, (5, 5, 7), np.uint8)
    np.savez(tmp_path / "x.npz", image=pixels, label=np.arange(5))
    np.savez(tmp_path / "other.npz", image=255 - pixels)
    made = [
        "features",
        tmp_path / "model.npz",
        tmp_path / "x.npz",
        "--layer",
        "c",
        "--out",
        tmp_path / "f.npz",
    ]
    assert run(*made).code == 0
    assert run("index", tmp_path / "f.npz", "--bits", "8", "--out", tmp_path / "i.npz").code == 0
    arguments = ["search", tmp_path / "i.npz", tmp_path / "x.npz", "--first", "2", "--nearest", "3"]
    arguments += ["--model", tmp_path / "model.npz", "--sheet", tmp_path / "s.png"]
    assert run(*arguments, "--database", tmp_path / "x.npz").code == 0
    with Image.open(tmp_path / "s.png") as picture:
        sheet = np.asarray(picture)
    tile = (50 + 10, 70 + 10)  # enlarged tenfold, frame and gap
    assert sheet.shape == (2 * tile[0], 4 * tile[1], 3)
    assert np.array_equal(sheet[3:53:10, 3:73:10, 0], pixels[0])
    assert np.array_equal(sheet[3:53:10, 83:153:10, 0], pixels[0]), "the nearest to an image is that image"
    (tmp_path / "s.png").unlink()
    assert "are not those of the index" in run(*arguments, "--database", tmp_path / "other.npz").sentence
    assert "with --database" in run(*arguments).sentence
    arguments[2] = tmp_path / "f.npz"
    assert "in place of their features" in run(*arguments, "--database", tmp_path / "x.npz").sentence
    assert not (tmp_path / "s.png").exists()


SEARCH_MISTAKES = {
    "no index": (["search", "nothing.npz", "three.npz"], "make one with 'spec2 index'"),
    "features in place of an index": (["search", "f.npz", "three.npz"], "is no index, or is damaged"),
    "an index in place of features": (["index", "i.npz"], "is no file of features"),
    "a model in place of features": (["index", "model.npz"], "is no file of features"),
    "too many bits": (["index", "f.npz", "--bits", "208"], "a multiple of 8, at most 200"),
    "removed by itq": (["index", "f.npz", "--removed", "3"], "itq removes no direction"),
    "images without a model": (["search", "i.npz", "images.npz"], "name it with --model"),
    "another model": (["search", "i.npz", "images.npz", "--model", "other.npz"], "are those of model"),
    "another layer": (["search", "i.npz", "other-layer.npz"], "are not compared with those of conv2"),
    "more than there are": (["search", "i.npz", "three.npz", "--nearest", "7"], "6 images in the index"),
    "more queries than there are": (["search", "i.npz", "three.npz", "--first", "4"], "features of 3 images"),
}


@pytest.mark.parametrize(("arguments", "names"), SEARCH_MISTAKES.values(), ids=SEARCH_MISTAKES)
def test_a_search_that_cannot_be_is_a_sentence(run, indexed, monkeypatch, arguments, names):
    monkeypatch.chdir(indexed)
    random_artifact(tiny(), seed=6).save("other.npz")
    assert run("features", "model.npz", "images.npz", "--layer", "fc1", "--out", "other-layer.npz").code == 0
    out = ["--out", "out.npz"] if arguments[0] == "index" else []
    assert names in run(*arguments, *out).sentence
    assert not (indexed / "out.npz").exists()
