"""What a reader does from one end of a page to the other, done so."""

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
import typer

from bitstreams.commands import command_line
from tests.docs.pages import (
    BLOCK,
    OWN_NETWORKS,
    PAGES,
    README,
    ROOT,
    TUTORIAL,
    commands,
    environment,
    run_blocks,
)

COMMANDS = sorted({line for page in PAGES for line in commands(page)})


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_in_the_documents_parses(line):
    group = typer.main.get_command(command_line.app)
    parser = group.make_parser(group.context_class(group))  # of options in front of the command's name
    _, (name, *arguments), _ = parser.parse_args(shlex.split(line)[1:])
    group.commands[name].make_context(name, arguments).close()


def test_help_examples_parse():
    group = typer.main.get_command(command_line.app)
    for name, command in group.commands.items():
        examples = re.findall(r"^ +spec2 (.+)$", command.help, re.MULTILINE)
        assert examples, name
        for example in examples:
            used, *arguments = shlex.split(example)
            assert used == name
            command.make_context(name, arguments).close()


@pytest.mark.slow
@pytest.mark.verilator
def test_the_first_part_of_the_tutorial_runs(tmp_path):
    text = TUTORIAL.read_text()
    first = text[text.index("## A first accelerator") : text.index("## A trained accelerator")]
    assert len(BLOCK.findall(first)) == 5
    out = run_blocks(first, tmp_path)
    assert "0 mismatches" in out and "operations per DSP slice" in out
    assert (tmp_path / "build/tiny/report.md").exists()


@pytest.mark.slow
@pytest.mark.verilator
def test_the_trained_accelerator_of_the_tutorial_runs(tmp_path):
    text = TUTORIAL.read_text()
    trained = text[text.index("## A trained accelerator") : text.index("## LeNet")]
    assert len(BLOCK.findall(trained)) == 2
    out = run_blocks(trained, tmp_path)
    assert "0 mismatches" in out and "operations per DSP slice" in out


def test_the_page_on_own_networks_runs(tmp_path):
    out = run_blocks(OWN_NETWORKS.read_text(), tmp_path)
    assert "['features_0', 'features_4', 'classifier']" in out and out.endswith(" 19")
    assert (tmp_path / "build/small/model.npz").exists()


def test_the_page_on_the_functions_runs(tmp_path):
    out = run_blocks((ROOT / "docs" / "api" / "spec2.md").read_text(), tmp_path)
    assert out.startswith("11429 the design needs 1,536 DSP slices of 240 ")


def test_the_recipe_on_the_page_on_own_networks_is_one():
    pytest.importorskip("torch")
    from pruning import patterns
    from pruning.training import recipe

    (text,) = re.findall(r"^```toml\n(.*?)^```", OWN_NETWORKS.read_text(), re.MULTILINE | re.DOTALL)
    file = recipe.RecipeFile(**tomllib.loads(text))
    assert file.network.endswith(recipe.ONNX_SUFFIX) and file.data in recipe.data.LOADERS
    assert [patterns.parse(scheme).keep for scheme in file.layers.values()] == [1]


def test_the_readme_begins_with_two_commands():
    """Nothing has to be done before them, and ``make`` knows both."""
    first = BLOCK.search(README.read_text())
    assert first
    typed = [line.split("#")[0].strip() for line in first[2].splitlines()]
    assert typed == ["make demo", "make test"]


def save_digits(folder: Path, every: int) -> Path:
    """A folder of MNIST as ``DATA`` names it: one in ``every`` of the digits that come with a package."""
    digits = pytest.importorskip("pruning.data").load("mnist")
    for name in ("train", "test"):
        images, labels = (getattr(digits, f"{name}_{what}")[::every] for what in ("images", "labels"))
        np.savez(folder / f"mnist_{name}.npz", image=images[:, 0], label=labels)
    return folder


@pytest.mark.verilator
@pytest.mark.parametrize("every", [32, pytest.param(1, marks=pytest.mark.slow)])
def test_the_first_commands_of_the_readme_run(tmp_path, wheel, every):
    """``make demo`` without the installation, with the program of the wheel in its place; then what comes
    after it. Slow as a reader has it; else with a folder of fewer digits, for training takes longest."""
    stamp = tmp_path / ".installed"
    stamp.touch()  # newer than pyproject.toml: nothing is to be installed
    python = Path(sys.executable)
    chosen = {
        "BIN": python.parent,
        "STAMP": stamp,
        "SPEC2": f"{python} {wheel.site / 'spec2.py'}",
        "BUILD": tmp_path / "build",
        "DATA": save_digits(tmp_path, every) if every > 1 else "",
    }
    command = ["make", "-C", ROOT, "demo", *(f"{name}={value}" for name, value in chosen.items())]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "0 mismatches" in " ".join(done.stdout.split())
    ((page, report),) = re.findall(r"the report: (\S+) and (\S+);", done.stdout)
    assert "operations per DSP" in Path(page).with_name(report).read_text()
    assert Path(page).read_text().lower().startswith("<!doctype html>")

    (block,) = [code for _, code in BLOCK.findall(README.read_text()) if "spec2 classify" in code]
    activate, *lines = block.splitlines()
    assert activate == "source .venv/bin/activate" and len(lines) == 3
    out = run_blocks("```sh\n" + "\n".join(lines) + "\n```\n", tmp_path)
    assert "0 mismatches" in out and "All scores of 8 images equal the integer model's." in out
