"""A second model on the bitstream of a first: ``generate --onto``, ``deploy --model``."""

import json
from contextlib import nullcontext

import pytest

from bitstreams.deploy.programming import SYNC
from bitstreams.links import opening
from bitstreams.plans import manifest
from bitstreams.plans.manifest import Manifest
from hw.compile.design_program import accelerator_program, design_program
from hw.contract.artifact import load, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import ACCELERATOR, DesignInfo
from hw.contract.network import tiny
from hw.contract.streamed_weights import stream_files
from hw.generate import generate
from hw.util.errors import DigestMismatch
from tests.hw.another_model import another
from tests.hw.host import memory_board

BASE = random_artifact(tiny(), seed=5)
OTHER = another(BASE)
CONFIG = AcceleratorConfig(4, 1, 1, stream_weights=True, bus_bits=128, memories=2)
NAME = "day"
"""Of the first design's top module, and so of the second's."""


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """The design of the first model."""
    folder = tmp_path_factory.mktemp("first") / "design"
    generate(BASE, CONFIG, folder, name=NAME)
    return folder


@pytest.fixture
def other(tmp_path):
    """The second model."""
    OTHER.save(tmp_path / "other" / "model.npz")
    return tmp_path / "other" / "model.npz"


def test_generate_onto_writes_the_same_verilog_with_other_weights(run, first, other, tmp_path):
    result = run("generate", other, "--onto", first, "--board", "vc709", "--json")
    assert result.code == 0, result.err
    folder, data = other.parent / "design", json.loads(result.out)
    info, was = DesignInfo.load(folder), DesignInfo.load(first)
    assert data["design"] == str(folder) and info.digest == OTHER.digest and info.config == was.config
    assert info.accelerator == was.accelerator == was.digest == BASE.digest
    weights = stream_files(NAME, 2)
    same = {name: (folder / name).read_bytes() == (first / name).read_bytes() for name in info.files}
    assert same == {name: name not in weights for name in was.files} and set(weights) < set(same)
    assert load(folder / "model.npz").digest == OTHER.digest
    assert load(folder / ACCELERATOR).digest == BASE.digest
    # A third model onto the second: of the first's bitstream, like the second.
    another(BASE, seed=9).save(tmp_path / "third" / "model.npz")
    assert run("generate", tmp_path / "third" / "model.npz", "--onto", folder).code == 0
    third = DesignInfo.load(tmp_path / "third" / "design")
    assert third.accelerator == BASE.digest and third.digest == another(BASE, seed=9).digest
    # And back: nothing of another model is left.
    BASE.save(tmp_path / "back" / "model.npz")
    assert run("generate", tmp_path / "back" / "model.npz", "--onto", folder).code == 0
    assert not (tmp_path / "back" / "design" / ACCELERATOR).exists()
    assert DesignInfo.load(tmp_path / "back" / "design").stream == was.stream


def test_the_program_of_a_design_is_that_of_its_weights(run, first, other):
    assert run("generate", other, "--onto", first).code == 0
    folder = other.parent / "design"
    assert accelerator_program(folder).digest == BASE.digest
    program = design_program(folder, OTHER)
    assert program.digest == OTHER.digest and program.stream == accelerator_program(first).stream
    OTHER.save(folder / ACCELERATOR)
    with pytest.raises(DigestMismatch, match=f"{ACCELERATOR} is not what the design was generated from"):
        design_program(folder, OTHER)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--onto", "FIRST", "--rows", "8"], "--onto takes the array of its design as it is"),
        (["--onto", "FIRST", "--hold-weights"], "--onto takes the array of its design as it is"),
        (["--onto", "nothing"], "spec2 generate"),
    ],
)
def test_what_onto_cannot_take_is_refused(run, first, other, options, sentence):
    options = [first if option == "FIRST" else option for option in options]
    assert sentence in run("generate", other, *options).sentence
    assert not (other.parent / "design").exists()


def test_a_model_that_does_not_fit_is_refused_and_nothing_is_written(run, first, tmp_path):
    random_artifact(tiny(), kind="dense").save(tmp_path / "model.npz")
    found = run("generate", tmp_path / "model.npz", "--onto", first)
    assert found.code == 2 and "does not fit the accelerator of network 'tiny'" in found.sentence
    assert not (tmp_path / "design").exists()


def test_an_accelerator_of_held_weights_is_refused(run, other, tmp_path):
    generate(BASE, AcceleratorConfig(4, 1, 1), tmp_path / "held")
    found = run("generate", other, "--onto", tmp_path / "held")
    assert found.code == 2 and "holds its weights" in found.sentence


def test_deploy_of_another_model_loads_what_differs(run, first, other, tmp_path, monkeypatch):
    """The bitstream stays; the design that 'classify' wants is named."""
    info = DesignInfo.load(first)
    board = memory_board.MemoryBoard(info)
    build = tmp_path / "vcu118"
    build.mkdir()
    (build / "spec2.bit").write_bytes(b"\xff" * 16 + SYNC)
    pairs = zip(stream_files(NAME, 2), memory_board.BASES, strict=False)
    rows = tuple({"file": name, "base": base} for name, base in pairs)
    made = Manifest("vcu118", "p", "vivado", 250e6, 0, info.digest, "0" * 64, memory=rows)
    (build / manifest.FILE_NAME).write_text(made.to_text())
    monkeypatch.setattr(opening, "open_link", lambda *how: nullcontext(board))
    deploy = ("deploy", build, "--design", first, "--link", "xdma", "--weights-only", "--json")
    names = ", ".join(("channel table", *(layer.name for layer in tiny().layers)))
    assert json.loads(run(*deploy).out)["weights_loaded"] == names
    result = run(*deploy, "--model", other)
    assert result.code == 0, result.err
    data = json.loads(result.out)
    assert data["weights_loaded"] == names
    there = DesignInfo.load(data["design"])
    assert there.digest == OTHER.digest and there.accelerator == BASE.digest
    assert data["design"] == str(first.with_name(f"design_{OTHER.digest[:8]}"))
    assert json.loads(run(*deploy, "--model", other).out)["weights_loaded"] == "all were there"
    assert json.loads(run(*deploy).out)["weights_loaded"] == names
