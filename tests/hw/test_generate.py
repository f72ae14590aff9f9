"""Designs of several names: the same logic, files of their own, and nothing left of the name before."""

import json
import re
import shutil
from pathlib import Path

import pytest

from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.generate import TOP, generate
from hw.util.errors import ConfigError
from hw.util.names import MOST_FILE, MOST_MODULE

ARTIFACT = random_artifact(tiny(), seed=7, kind="adaptive")
STREAMED = AcceleratorConfig(4, 1, 1, stream_weights=True, bus_bits=128, memories=2)
HELD = AcceleratorConfig(4, 1, 1)
NAME = "model"
"""As other files of a design's folder begin, too."""


@pytest.fixture(scope="module", params=[HELD, STREAMED], ids=["held", "streamed"])
def pair(request, tmp_path_factory) -> tuple[Path, Path]:
    """The folders of a design without a name, and of the same with one."""
    folder = tmp_path_factory.mktemp("names")
    generate(ARTIFACT, request.param, folder / "plain")
    generate(ARTIFACT, request.param, folder / "named", name=NAME)
    return folder / "plain", folder / "named"


def contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in DesignInfo.load(folder).files}


def test_a_name_is_all_that_differs(pair):
    plain, named = map(DesignInfo.load, pair)
    assert (plain.top, named.top) == (TOP, NAME)
    assert TOP == "spec2"  # what designs of before are called, in scripts of users
    renamed = {
        name.replace("spec2", NAME): text if name.endswith(".bin") else text.replace(b"spec2", NAME.encode())
        for name, text in contents(pair[0]).items()
    }
    assert contents(pair[1]) == renamed
    assert list(named.weight_files) == [name for name in named.files if name.endswith(".bin")]


def test_nothing_of_two_names_meets(pair):
    """Modules and files: what a design of two accelerators would have twice."""
    found = []
    for folder in pair:
        info = DesignInfo.load(folder)
        text = (folder / info.verilog).read_text()
        modules = {name.removeprefix("\\") for name in re.findall(r"^module (\S+?) *\(", text, re.M)}
        images = set(re.findall(r'"(\S+\.mem)"', text))
        assert info.top in modules and len(modules) > 20
        assert images == set(info.files) - {info.verilog, *info.weight_files}
        names = modules | set(info.files)
        assert all(re.fullmatch(rf"{info.top}(_[\w$]+)?(\.\w+)?", name) for name in names)
        found.append(names)
        room = MOST_FILE - MOST_MODULE
        assert max(len(name.removeprefix(info.top)) for name in info.files) <= room
    assert not found[0] & found[1]


@pytest.mark.parametrize("name", ["module", "1a", "a-b", "", "é", "x" * 33, "_a", "spec2_serial", "top"])
def test_a_name_that_no_module_can_have_is_refused(tmp_path, name):
    with pytest.raises(ConfigError, match=f"the name '{name}' .*: choose another one"):
        generate(ARTIFACT, HELD, tmp_path / "new", name=name)
    assert not (tmp_path / "new").exists()


def test_the_command_line_names_a_design(run, tmp_path, pair):
    """It replaces that of another name, and nothing else."""
    design = tmp_path / "design"
    shutil.copytree(pair[1], design)
    before = DesignInfo.load(design)
    mine = {"model.txt", "model_notes.v", "modelling.mem", "spec.md"}
    for name in mine:
        (design / name).write_text("mine")
    ARTIFACT.save(tmp_path / "model.npz")
    options = ["--rows", 4, "--lanes", 1, "--batch", 1]
    result = run("generate", tmp_path / "model.npz", *options, "--name", "digits", "--json")
    assert result.code == 0 and json.loads(result.out)["top"] == "digits"
    info = DesignInfo.load(design)
    assert info.verilog == "digits.v" and before.verilog == "model.v"
    assert {path.name for path in design.iterdir()} == mine | set(info.files) | {"model.npz", "design.json"}
    refused = run("generate", tmp_path / "model.npz", *options, "--name", "wire")
    assert refused.sentence == "spec2: --name 'wire' is a keyword of SystemVerilog: choose another one"
    refused = run("generate", tmp_path / "model.npz", "--onto", design, "--name", "day")
    assert "leave --name out" in refused.sentence
