"""A model with a design and all that stages leave beside them, as files: what a whole page is made of."""

import csv
import json
from pathlib import Path

import numpy as np

from hw.compile.compiler import compile_program
from hw.contract import results
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.design import DesignInfo
from hw.contract.network import tiny
from hw.cost.choices import choices
from hw.cost.cycles import estimates
from hw.host.counters import Counters, LayerCounters
from sim import model
from sim.rtl import answers
from sim.rtl.verify import Verification
from tests.design_folder import save_design

BUDGET = {"dsp": 48, "bram36": 400, "lut": 90_000, "ff": 1}
BOARDS = [{"name": "small", "title": "a small board", "budget": BUDGET}]
IMAGES, WRONG = 6, 4
"""How many there are, and the number of the wrong one."""


def example(folder: Path) -> Path:
    """Write all of it into ``folder``: a run of a batch takes 600 clocks and 1,000 for every image and
    layer."""
    artifact, config = random_artifact(tiny(), seed=5), AcceleratorConfig(rows=8, lanes=4, batch=4)
    program = compile_program(artifact, config)
    figures = estimates(program) | {"layers": choices(program)}
    info = DesignInfo("spec2", tiny(), program.config, artifact.digest, estimates=figures)
    design = folder / "design"
    save_design(design, info, {"spec2.v": "module spec2; endmodule\n"})
    for place in (folder, design):
        artifact.save(place / "model.npz")
    images = np.random.default_rng(11).integers(0, 256, (IMAGES, *tiny().input), np.uint8)
    scores = model.run(artifact, images)
    labels = scores.argmax(axis=1)
    labels[WRONG] = (labels[WRONG] + 1) % 5
    found = Verification(IMAGES, 0, None, IMAGES - 1, True, 3, counters(1), counters(4), 10_000, 1.5)
    results.save(design, results.SIMULATION, found.to_json())
    answers.save(design, images, scores, labels)
    accuracy = {"digest": artifact.digest, "dense": 99.1, "pruned": 98.7, "integer": 98.6}
    (folder / "accuracy.json").write_text(json.dumps(accuracy))
    about = {"digest": artifact.digest, "seconds": 9.0, "command": "spec2 prune tiny"}
    (folder / "training.json").write_text(json.dumps(about))
    with (folder / "training.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["phase", "epoch", "loss", "accuracy", "kept", "primal", "dual"])
        for epoch in range(9):
            rows.writerow(["dense" if epoch < 5 else "pruning", epoch, 1 / (epoch + 1), 90 + epoch, 1, 0, 0])
    return folder


def counters(images: int) -> Counters:
    layers = tuple(LayerCounters(layer.name, 1000 * images, 50 * images) for layer in tiny().layers)
    steps = sum(layer.steps for layer in layers)
    cycles = 600 + sum(layer.cycles for layer in layers)
    return Counters(cycles, 500, 0, steps, 30 * images, 20 * images, 10 * images, 0, 0, 8, 0, layers)
