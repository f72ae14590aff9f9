"""The commands of a report are those that make its design and figures again; every file has its digest."""

import shlex
from dataclasses import replace

import pytest

from bitstreams.commands import command_line
from hw.contract.artifact import load
from hw.contract.config import AcceleratorConfig, load_config
from hw.contract.design import DesignInfo
from hw.generate import TOP
from sim.report import provenance
from sim.rtl.verify import Verification
from tests.sim.report.example import example


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return example(tmp_path_factory.mktemp("a folder"))


def words(folder, info, **more):
    design = folder / "design"
    result = replace(Verification.load(design), **more)
    trained = {"command": "spec2 prune tiny"}
    found = provenance.commands(folder, trained, design, info, result)
    return [shlex.split(line) for line in found]


def test_commands_are_in_the_order_of_the_work(folder):
    info = DesignInfo.load(folder / "design")
    prune, generate, simulate, report = words(folder, info)
    assert prune == ["spec2", "prune", "tiny"] and report == ["spec2", "report", str(folder)]
    assert generate[:3] == ["spec2", "generate", str(folder / "model.npz")] and "--name" not in generate
    config = load_config(generate[generate.index("--config") + 1])
    assert AcceleratorConfig(**config) == info.config, "whatever the compiler chose itself is in it"
    assert simulate == ["spec2", "simulate", f"{folder}/design", "--images", "6", "--seed", "3", "--stalls"]
    assert "--stalls" not in words(folder, info, stalls=False)[2]
    known = {subcommand.__name__ for subcommand in command_line.SUBCOMMANDS}
    assert {line[1] for line in words(folder, info)} <= known


def test_a_name_of_its_own_is_told(folder):
    info = replace(DesignInfo.load(folder / "design"), top="digits")
    assert words(folder, info)[1][-4:-2] == ["--name", "digits"] and provenance.TOP == TOP


def test_weights_of_another_bitstream_have_no_generate_command(folder):
    """Which design they were made for is not known."""
    info = DesignInfo.load(folder / "design")
    config = replace(info.config, stream_weights=True)
    other = type("Info", (), {"digest": info.digest, "accelerator": "0" * 64, "config": config})
    found = provenance.commands(folder, {}, folder / "design", other, None)
    assert [line.split()[1] for line in found] == ["report"]


def test_every_file_has_its_digest(folder):
    info = DesignInfo.load(folder / "design")
    found = provenance.digests(load(folder / "model.npz"), info)
    assert list(found) == ["model", "accelerator", "design", "spec2.v"]
    assert found["design"] == info.fingerprint and found["spec2.v"] == info.files["spec2.v"].sha256
