"""``spec2 new``: what it writes runs as it is, and nothing that was there is lost."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from hw.commands.configuration import configure
from hw.commands.new import TEMPLATES

ROOT = Path(__file__).parents[1]


def make(folder: Path, *targets: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Its Makefile, with the command from this tree."""
    given = {"PYTHON": sys.executable, "SPEC2": f"{sys.executable} {ROOT / 'spec2.py'}", **variables}
    command = ["make", "-C", folder, *targets, *(f"{name}={value}" for name, value in given.items())]
    paths = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    paths.pop("SPEC2_DATA_DIR", None)
    return subprocess.run(command, env=paths, capture_output=True, text=True)


def shortened(folder: Path) -> None:
    """One epoch of everything, of few digits, in a file of the reader's own."""
    settings = folder / "spec2.toml"
    text = settings.read_text()
    for phase, epochs in (("dense", 8), ("pruning", 4), ("finetune", 4), ("mirror", 2)):
        assert f"\n{phase} = {epochs}\n" in text
        text = text.replace(f"\n{phase} = {epochs}\n", f"\n{phase} = 1\n")
    settings.write_text(text.replace('data = "mnist"', 'data = "images.npz"'))
    program = (
        "import numpy; from pruning import data; found = data.load('mnist');"
        "numpy.savez('images.npz', images=found.train_images[::8], labels=found.train_labels[::8])"
    )
    subprocess.run(
        [sys.executable, "-c", program], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True
    )


def test_a_project_has_its_name_and_settings_that_are_read(run, tmp_path):
    folder = tmp_path / "my-digits"
    result = run("new", folder, "--json")
    assert result.code == 0
    found = {path.name for path in folder.iterdir()}
    assert found == set(json.loads(result.out)["files"])
    assert found == {"spec2.toml", "network.py", "Makefile", "README.md", ".gitignore"}
    assert len(found) == len(list(TEMPLATES.iterdir()))
    texts = {path.name: path.read_text() for path in folder.iterdir()}
    assert not any("@NAME@" in text for text in texts.values())
    assert 'name="my-digits"' in texts["network.py"] and "# my-digits" in texts["README.md"]
    said = tomllib.loads(texts["spec2.toml"])
    array = configure(folder / "spec2.toml")
    assert {name: getattr(array, name) for name in said["config"]} == said["config"]
    assert said["block"] == array.rows  # rows share a choice


def test_training_reads_all_of_the_settings_but_the_array(run, tmp_path):
    pytest.importorskip("torch")
    from pruning.training.recipe import settings_of

    run("new", tmp_path / "p")
    said = tomllib.loads((tmp_path / "p" / "spec2.toml").read_text())
    found = settings_of(tmp_path / "p" / "spec2.toml")
    assert found["sparsity"] == said["sparsity"] and found["epochs"].dense == said["epochs"]["dense"]
    assert found["training"].rates.mirror == said["training"]["rates"]["mirror"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("-x y", "has no usable name"),
        ("full", "is there already, and not empty"),
        ("file", "is there already"),
    ],
)
def test_what_is_refused_leaves_everything(run, tmp_path, name, sentence):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("work")
    (tmp_path / "file").write_text("work")
    before = sorted(tmp_path.rglob("*"))
    assert sentence in run("new", "--json", "--", tmp_path / name).sentence
    assert sorted(tmp_path.rglob("*")) == before and (tmp_path / "full" / "mine").read_text() == "work"


def test_a_recipe_without_a_network_says_what_it_lacks(run, tmp_path):
    run("new", tmp_path / "p")
    assert "it names no network" in run("prune", tmp_path / "p" / "spec2.toml", "--out", tmp_path).sentence


def test_a_project_trains_on_images_of_its_own_and_plans_a_bitstream(run, tmp_path):
    pytest.importorskip("torch")
    folder = tmp_path / "p"
    run("new", folder)
    shortened(folder)
    done = make(folder, "build/design/design.json", "estimate")
    assert done.returncode == 0, done.stdout + done.stderr
    info = json.loads((folder / "build" / "design" / "design.json").read_text())
    assert info["network"]["name"] == "p" and info["config"]["lanes"] == 2
    again = make(folder, "build/design/design.json")
    assert "spec2.py" not in again.stdout  # nothing has changed
    done = make(folder, "plan")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "arty_a7_100" in done.stdout


def test_a_mistake_in_a_project_is_one_sentence(run, tmp_path):
    pytest.importorskip("torch")
    run("new", tmp_path / "p")
    settings = tmp_path / "p" / "spec2.toml"
    settings.write_text(settings.read_text().replace('data = "mnist"', 'data = "mine.npz"'))
    paths = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "network.py"]
    done = subprocess.run(command, cwd=tmp_path / "p", env=paths, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("spec2: there is no file mine.npz") and done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.verilator
def test_a_project_runs_as_it_is(run, tmp_path):
    pytest.importorskip("torch")
    folder = tmp_path / "digits"
    run("new", folder)
    done = make(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 mismatches" in " ".join(done.stdout.split())
    report = json.loads((folder / "build" / "report.json").read_text())
    assert report["accuracy"]["integer"] > 95 and report["verified"]["correct"] >= 14
