"""Two IPs, unlike in everything that a package depends on: who holds the weights, widths, what comes out."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from bitstreams.flows import ip
from hw.contract.artifact import Artifact, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import Conv, Dense, Network
from hw.generate import generate
from sim import model

DAY = Network("scores", (1, 8, 8), (Conv("a", 1, 4, 3, padding=1, pool=2), Dense("b", 64, 5, relu=False)))
NIGHT = Network(  # a map as the result, whose rows do not fill their beats
    "maps", (2, 9, 11), (Conv("a", 2, 5, 3, padding=1, pool=2), Conv("b", 5, 3, 3, relu=False))
)
CONFIGS = {
    "day": AcceleratorConfig(4, 1, 1),
    "night": AcceleratorConfig(4, 1, 1, stream_weights=True, bus_bits=64, memories=2, stream_bits=64),
}


@dataclass(frozen=True)
class Made:
    """An IP, and what it was made of."""

    package: ip.Package
    design: Path
    info: DesignInfo
    artifact: Artifact
    image: np.ndarray

    @property
    def folder(self) -> Path:
        return self.package.folder


@pytest.fixture(scope="session")
def ips(tmp_path_factory) -> dict[str, Made]:
    """Both, by name."""
    found = {}
    for seed, (name, network) in enumerate({"day": DAY, "night": NIGHT}.items(), 3):
        folder = tmp_path_factory.mktemp(name)
        artifact = random_artifact(network, seed=seed, kind="adaptive")
        info = generate(artifact, CONFIGS[name], folder / "design", name=name)
        image = np.random.default_rng(seed).integers(0, 256, network.input, np.uint8)
        made = ip.package(folder / "design", folder / "ip", image, model.run(artifact, image[None])[0])
        found[name] = Made(made, folder / "design", info, artifact, image)
    return found
