"""Fixtures that several packages' tests share."""

import gc
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import numpy as np
import pytest
from amaranth import Module
from amaranth.hdl import Fragment

import spec2
from hw.compile.compiler import compile_program
from hw.contract.artifact import Artifact, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.cost.choices import choices
from hw.cost.cycles import estimates
from hw.host.counters import Counters, LayerCounters
from sim import model, rtl
from sim.rtl import compiler
from tests.design_folder import save_design
from tests.wheel import Wheel, make_wheel

hypothesis.settings.register_profile("shared machine", deadline=None)  # which may be busy at any moment
hypothesis.settings.load_profile("shared machine")


# Most simulators of tests are built for some thousand clocks.
compiler.OPTIMISATION = dict.fromkeys(compiler.OPTIMISATION, "-O0")

ROOM = 1 << 30
"""Bytes that a run may need in the folder of temporary files; a third of it was seen."""


def pytest_sessionstart() -> None:
    """A disk that fills up would show as hundreds of failures that say nothing of it."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < ROOM:
        pytest.exit(f"{free >> 20} MB are free in {folder}, the tests need {ROOM >> 20}: make room", 2)
    Fragment.get(Module(), None)  # Amaranth says nothing of unused components before one is elaborated


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What builds simulators goes first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("verilator") is None)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """What a test leaves to the collector ends with it, so that a warning on the way names its own test.

    A component that nobody elaborates holds itself and warns when the collector finds it: else in any
    later test, or in none. Only what the test made is looked through.
    """
    gc.freeze()
    yield
    gc.collect()
    gc.unfreeze()


@dataclass
class FakeDesign:
    """A model and its design as files, with Verilog that nobody reads, and a stand-in for the simulator.

    The stand-in answers what the integer model does, but ``errors`` may change the answers of a run.
    """

    folder: Path
    artifact: Artifact
    info: DesignInfo
    calls: list[dict]
    errors: dict[int, int]

    @property
    def design(self) -> Path:
        return self.folder / "design"

    def simulate(
        self, design_dir, images, *, batch=0, stalls=False, seed=0, memory=None, progress=None, **waves
    ):
        self.calls.append(
            {"images": len(images), "batch": batch, "stalls": stalls, "seed": seed, "memory": memory}
        )
        scores = model.run(self.artifact, images).copy()
        for image, by in self.errors.items():
            if image < len(scores):
                scores[image, 2] += by
        if progress:
            progress(len(images), len(images))
        runs = tuple(self.counters(min(batch, len(images) - i)) for i in range(0, len(images), batch))
        return rtl.RtlResult(scores, runs, sum(run.cycles for run in runs), 10_000)

    def counters(self, images: int) -> Counters:
        """1,000 clocks and 50 steps per image and layer; 600 clocks besides."""
        layers = tuple(
            LayerCounters(layer.name, 1000 * images, 50 * images) for layer in self.artifact.network.layers
        )
        cycles = 600 + sum(layer.cycles for layer in layers)
        return Counters(cycles, 0, 0, sum(layer.steps for layer in layers), 0, 0, 0, 0, 0, 0, 0, layers)


@pytest.fixture
def fake_design(tmp_path, monkeypatch) -> FakeDesign:
    """A design of the tiny network with N=8, P=4, and ``sim.rtl.simulate`` replaced."""
    artifact, config = random_artifact(tiny(), seed=5), AcceleratorConfig(rows=8, lanes=4, batch=4)
    program = compile_program(artifact, config)
    figures = estimates(program) | {"layers": choices(program)}
    info = DesignInfo("spec2", tiny(), program.config, artifact.digest, estimates=figures)
    fake = FakeDesign(tmp_path / "tiny", artifact, info, [], {})
    fake.info = save_design(fake.design, info, {"spec2.v": "module spec2; endmodule\n"})
    artifact.save(fake.folder / "model.npz")
    artifact.save(fake.design / "model.npz")
    monkeypatch.setattr(rtl, "simulate", fake.simulate)
    return fake


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Wheel:
    """What a user installs, of the files that git has."""
    pytest.importorskip("setuptools")
    return make_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(name="model")
def model_file(tmp_path):
    """The file of a model that commands take: the tiny network with random weights."""
    path = tmp_path / "model.npz"
    random_artifact(tiny(), seed=5).save(path)
    return path


@pytest.fixture
def tiny_images() -> np.ndarray:
    """Six images for the tiny network."""
    return np.random.default_rng(11).integers(0, 256, (6, *tiny().input), np.uint8)


@dataclass(frozen=True)
class Result:
    """What a command ended with and said."""

    code: int
    out: str
    err: str

    @property
    def sentence(self) -> str:
        """What it says of a mistake, which is all it says but for progress."""
        assert self.code == 2 and self.out == "" and "Traceback" not in self.err
        said = self.err.splitlines()[-1]
        assert said.startswith("spec2: ")
        return said


@pytest.fixture
def run(capsys, monkeypatch):
    """Run the command line; gives its :class:`Result`."""
    monkeypatch.delenv("SPEC2_DATA_DIR", raising=False)

    def call(*arguments):
        with pytest.raises(SystemExit) as caught:
            spec2.main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return Result(caught.value.code, out, err)

    return call


@pytest.fixture
def little_room():
    """Sets the size in bytes beyond which no file grows, and returns the one before. The system's sentence is
    another one than for a full disk, all else is the same."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit(size: int) -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
        return before

    yield limit
    limit(before)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Installs programs that keep their arguments, say something, and end with a code."""

    def install(name, say="done", code=0):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        version = '[ "$1" = --Version ] || [ "$1" = -version ] && echo v1.1.1 && exit 0\n'
        keep = (
            f'pwd > {folder}/{name}.args; for word in "$@"; do echo "$word" >> {folder}/{name}.args; done\n'
        )
        (folder / name).write_text(f"#!/bin/sh\n{version}{keep}cat <<'END'\n{say}\nEND\nexit {code}\n")
        (folder / name).chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:{os.defpath}")
        return lambda: (folder / f"{name}.args").read_text().split()

    monkeypatch.setenv("PATH", "")
    return install
