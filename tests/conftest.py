"""Fixtures that several packages' tests share."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from hw.artifact import Artifact, random_artifact
from hw.config import AcceleratorConfig
from hw.counters import Counters, LayerCounters
from hw.design import DesignInfo
from hw.estimate import estimates
from hw.network import tiny
from hw.program import compile_program
from sim import model, rtl


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What builds simulators goes first, so that no worker is left alone with it at the end."""
    items.sort(key=lambda item: item.get_closest_marker("verilator") is None)


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

    def simulate(self, design_dir, images, *, batch=0, stalls=False, seed=0, progress=None):
        self.calls.append({"images": len(images), "batch": batch, "stalls": stalls, "seed": seed})
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
    info = DesignInfo("spec2", tiny(), program.config, artifact.digest, estimates=estimates(program))
    fake = FakeDesign(tmp_path / "tiny", artifact, info, [], {})
    info.save(fake.design)
    (fake.design / "spec2.v").write_text("module spec2; endmodule\n")
    artifact.save(fake.folder / "model.npz")
    artifact.save(fake.design / "model.npz")
    monkeypatch.setattr(rtl, "simulate", fake.simulate)
    return fake


@pytest.fixture
def tiny_images() -> np.ndarray:
    """Six images for the tiny network."""
    return np.random.default_rng(11).integers(0, 256, (6, *tiny().input), np.uint8)
