"""Random small designs whose weights come from external memory, and how far the cost model is off on each.

``python -m tests.sim.bench.streamed_designs FOLDER FIRST COUNT`` builds the designs of seeds FIRST and so on,
about half a minute each, and prints a line for each of them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hw.compile.compiler import compile_program
from hw.contract.artifact import Artifact, random_artifact
from hw.contract.config import BUS_BITS, AcceleratorConfig
from hw.contract.network import Conv, Dense, Layer, Network
from hw.contract.spectrum import TILE
from hw.cost.cycles import run_cycles, total_cycles
from hw.generate import generate
from hw.host.counters import Counters
from hw.util.errors import ConfigError


@dataclass(frozen=True)
class Streamed:
    """An artifact and what it is generated for."""

    artifact: Artifact
    config: AcceleratorConfig


def random_streamed(seed: int) -> Streamed:
    """A design of 4 to 32 rows and 1 to 10 lanes, of a network that runs within 100,000 clocks.

    Every other one has the smallest weight store that it can have, the others twice that, or what the
    compiler chooses.
    """
    rng = np.random.default_rng(seed)
    rows = int(rng.choice([4, 4, 8, 8, 12, 16, 32]))
    lanes = int(rng.choice([1, 1, 2, 3, 4, 10]))
    bus = int(rng.choice(BUS_BITS[:5]))
    config = AcceleratorConfig(
        rows=rows,
        lanes=lanes,
        batch=int(rng.integers(1, min(3, lanes) + 1)),
        stream_weights=True,
        bus_bits=bus,
        memories=int(rng.choice([count for count in (1, 2, 4) if bus // count >= BUS_BITS[0]])),
    )
    network = _network(rng, rows)
    bits = {layer.name: int(rng.integers(2, 8)) for layer in network.layers[:-1] if rng.random() < 0.3}
    artifact = random_artifact(
        network,
        seed=seed,
        kind=str(rng.choice(["adaptive", "adaptive", "kernel", "dense"])),
        density=float(rng.choice([0.1, 0.25, 0.5])),
        layer_bits=bits,
    )
    return Streamed(artifact, replace(config, weight_steps=_store(artifact, config, int(rng.integers(0, 4)))))


def _network(rng: np.random.Generator, rows: int) -> Network:
    """Up to three convolutions in front of up to two fully connected layers."""
    convolutions = int(rng.integers(0, 4))
    size = int(rng.integers(8, 17)) if convolutions else 8
    shape = (int(rng.integers(1, 13)), size, size)
    layers: list[Layer] = []
    channels = shape[0]
    for i in range(convolutions):
        outputs = int(rng.integers(4, 6 * rows if i else 3 * rows))
        kernel = int(rng.choice([1, 3, 3, 5]))
        pool = 2 if size >= 8 and rng.random() < 0.4 else 1
        layers.append(Conv(f"c{i}", channels, min(64, outputs), kernel, padding=kernel // 2, pool=pool))
        channels, size = min(64, outputs), size // pool
    features = channels * size * size
    if size <= TILE and (convolutions == 0 or rng.random() < 0.6):
        if rng.random() < 0.5:
            hidden = int(rng.integers(16, 129))
            layers.append(Dense("hidden", features, hidden))
            features = hidden
        layers.append(Dense("scores", features, int(rng.integers(2, 41)), relu=False))
    return Network("streamed", shape, tuple(layers))


def _store(artifact: Artifact, config: AcceleratorConfig, choice: int) -> int:
    """The smallest store that is accepted (0, 1), twice that (2), or the compiler's (3)."""
    if choice == 3:
        return 0
    steps, program = 2, compile_program(artifact, config)
    while True:
        try:
            _ = replace(program, config=replace(program.config, weight_steps=steps)).stream
        except ConfigError:
            steps *= 2
            continue
        return steps * (2 if choice == 2 else 1)


@dataclass(frozen=True)
class Run:
    """Clocks of one run of ``images`` images, by layer, counted by the Verilog."""

    images: int
    counters: Counters


def count(folder: Path, design: Streamed) -> list[Run]:
    """Generate the design in ``folder`` and run a full batch, then a single image."""
    from sim import rtl

    generate(design.artifact, design.config, folder)
    shape, batch = design.artifact.network.input, design.config.batch
    images = np.random.default_rng(0).integers(0, 256, (batch + 1, *shape), dtype=np.uint8)
    found = rtl.simulate(folder, images, timeout=10_000_000)
    return [Run(size, one) for size, one in zip((batch, 1), found.counters, strict=True)]


def errors(design: Streamed, run: Run) -> tuple[float, dict[str, float]]:
    """How much longer than counted the cost model takes a run to be, as a share of it; and every layer, as
    a share of the layer."""
    program = compile_program(design.artifact, design.config)
    predicted = run_cycles(program, run.images)
    counted = run.counters.layers
    by_layer = {
        guess.name: guess.cycles / true.cycles - 1 for guess, true in zip(predicted, counted, strict=True)
    }
    return total_cycles(program, run.images) / run.counters.cycles - 1, by_layer


def describe(design: Streamed) -> str:
    """The design in a line."""
    config = design.config
    shape = "×".join(map(str, design.artifact.network.input))
    return (
        f"{shape} {len(design.artifact.network.layers)} layers, N={config.rows} P={config.lanes} "
        f"bus={config.bus_bits}/{config.memories} steps={config.weight_steps}"
    )


def main(folder: Path, first: int, count_: int) -> int:
    """Count and compare; returns the number of designs that are off by more than 2 %."""
    worst = []
    for seed in range(first, first + count_):
        design = random_streamed(seed)
        runs = count(folder / f"seed_{seed}", design)
        total = max((errors(design, run)[0] for run in runs), key=abs)
        layer = max((e for run in runs for e in errors(design, run)[1].values()), key=abs)
        worst.append(abs(total))
        print(f"seed {seed}: {total:+.2%}, a layer {layer:+.2%}: {describe(design)}", flush=True)
    print(f"{count_} designs, at most {max(worst):.2%} off")
    return sum(one > 0.02 for one in worst)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])) > 0)
