"""What is made of networks: models, designs, what was measured on them."""

import hashlib
import json
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader


def small_network():
    from hw.contract.network import Conv, Dense, Network

    conv, fc1, fc2 = Conv("conv", 1, 4, 3, pool=2), Dense("fc1", 4 * 9, 9), Dense("fc2", 9, 3, relu=False)
    return Network("small", (1, 8, 8), (conv, fc1, fc2))


def model(folder: Path) -> None:
    from dataclasses import replace

    from hw.contract.artifact import random_artifact

    accuracy = {"dense": 99.0, "pruned": 98.0, "mirror": None}
    provenance = {
        "accuracy": accuracy,
        "seconds": 3.5,
        "command": "spec2 prune",
        "pruned_from": small_network().to_json(),
    }
    artifact = replace(random_artifact(small_network(), seed=1), provenance=provenance, layer_bits={})
    artifact.save(folder / "model.npz")


def narrow_model(folder: Path) -> None:
    from hw.contract.artifact import random_artifact

    random_artifact(small_network(), seed=1, spectrum_bits=10).save(folder / "narrow.npz")


def read_narrow_model(folder: Path) -> None:
    """As far as the program, which takes the shifts of words."""
    from hw.compile.compiler import compile_program
    from hw.contract.artifact import load
    from hw.contract.config import AcceleratorConfig

    compile_program(load(folder / "narrow.npz"), AcceleratorConfig(rows=4, lanes=2, batch=2))


def design(folder: Path) -> None:
    """Model, design, and results of it, with Verilog that nobody reads."""
    from hw.compile.compiler import compile_program
    from hw.contract import results
    from hw.contract.artifact import load
    from hw.contract.config import AcceleratorConfig
    from hw.contract.design import DesignInfo
    from hw.contract.design_files import Content
    from hw.cost.choices import choices
    from hw.cost.cycles import estimates
    from hw.host.counters import Counters, LayerCounters
    from sim.rtl import answers
    from sim.rtl.verify import Verification

    model(folder)
    artifact = load(folder / "model.npz")
    program = compile_program(artifact, AcceleratorConfig(rows=4, lanes=2, batch=2))
    figures = estimates(program) | {"layers": choices(program)}
    place, verilog = folder / "design", b"module spec2; endmodule\n"
    place.mkdir()
    (place / "spec2.v").write_bytes(verilog)
    files = {"spec2.v": Content(len(verilog), hashlib.sha256(verilog).hexdigest())}
    info = DesignInfo(
        "spec2", artifact.network, program.config, artifact.digest, {"clk": 1}, files, (), figures
    )
    info.save(place)
    layers = tuple(LayerCounters(layer.name, 100, 7) for layer in artifact.network.layers)
    run = Counters(300, 1, 2, 21, 4, 5, 6, 7, 8, 9, 10, layers)
    found = Verification(4, 0, None, 3, True, 1, run, run, 900, 1.5)
    results.save(place, results.SIMULATION, found.to_json())
    paths = {
        "levels": {"1": 5, "3": 2},
        "worst": [{"levels": 3, "start": "a", "end": "b", "cells": ["LUT6"]}],
    }
    cells = {
        "dsp": 24,
        "bram36": 1.5,
        "uram": 0,
        "lut": 900,
        "ff": 800,
        "paths": paths | {"fanout": [["n", 40]]},
    }
    results.save(place, results.SYNTHESIS, cells)
    about = {"digest": artifact.digest}
    (folder / "accuracy.json").write_text(json.dumps({**about, "integer": 97.5}))
    (folder / "training.json").write_text(json.dumps({**about, "seconds": 12.5, "command": "spec2 prune"}))
    (folder / "confusion.json").write_text(json.dumps({**about, "counts": [[3, 0, 1], [0, 4, 0], [1, 0, 3]]}))
    rows = [
        "phase,epoch,loss,accuracy,kept,primal,dual",
        "dense,1,0.5,97.5,1.0,0,0",
        "pruning,1,0.4,98,0.5,1,2",
    ]
    (folder / "training.csv").write_text("\n".join(rows))
    images = np.arange(4 * 64, dtype=np.uint8).reshape(4, 1, 8, 8)
    answers.save(place, images, np.eye(4, 3, dtype=np.int32), np.array([0, 1, 2, 2]))


def report(folder: Path) -> None:
    """As ``spec2 report`` and ``spec2 compare``."""
    from sim.report import comparison, models
    from sim.report.data import assemble
    from sim.report.page import markdown

    markdown(assemble(folder))
    found = models.Model.load(folder)
    figures = models.counted(found)
    if figures is not None:
        comparison.markdown([comparison._row(found, figures, comparison.VERILOG)])


def report_images(folder: Path) -> None:
    """As the images on it."""
    from sim.report.classification import confusion, simulated
    from sim.report.html.pictures import images
    from sim.rtl import answers

    if found := answers.load(folder / "design"):
        confusion(folder, "0" * 64, found)
        images(simulated(found), found.images)


def report_page(folder: Path) -> None:
    """As the page of ``spec2 report``."""
    from sim.report.data import assemble
    from sim.report.html.report import html
    from sim.rtl import answers

    made, found = assemble(folder), answers.load(folder / "design")
    html(made, found.images if found else None)


def change_design(content: bytes, rng: Random) -> bytes:
    """The description with other data and a right seal, or another text."""
    from hw.contract.design import SEAL, _seal

    if rng.random() < 0.12:
        return mutate.text(content, rng)
    data = json.loads(content)
    data.pop(SEAL)
    data = mutate.plain(data, rng)
    return json.dumps({**data, SEAL: _seal(data)} if isinstance(data, dict) else data).encode()


def read_design(folder: Path) -> None:
    from bitstreams.boards.budget import needs
    from hw.contract import results
    from hw.contract.design import DesignInfo

    info = DesignInfo.load(folder / "design")
    results.fingerprint(folder / "design")
    needs(info.estimates)
    report(folder)


def read_config(folder: Path) -> None:
    from hw.contract.config import AcceleratorConfig, load_config

    AcceleratorConfig(**load_config(folder / "config.json"))


def make_config(folder: Path) -> None:
    from hw.contract.config import AcceleratorConfig, save_config

    save_config(
        AcceleratorConfig(64, 10, 1, 64, 49_152, True, 1024, 2, 8192), folder / "config.json", network="x"
    )


def read_counts(folder: Path) -> None:
    from bitstreams.synthesis.extrapolation import _counts

    report(folder)
    _counts(folder / "design")


READERS = [
    Reader("model.npz", design, mutate.artifact, report),
    Reader("narrow.npz", narrow_model, mutate.artifact, read_narrow_model, 0.5),
    Reader("design/design.json", design, change_design, read_design, 0.7),
    Reader("config.json", make_config, mutate.document, read_config),
    Reader("design/simulation.json", design, mutate.document, report, 0.3),
    Reader("design/synthesis.json", design, mutate.document, read_counts, 0.5),
    Reader("accuracy.json", design, mutate.document, report, 0.3),
    Reader("training.json", design, mutate.document, report, 0.3),
    Reader("confusion.json", design, mutate.document, report, 0.3),
    Reader("training.csv", design, mutate.text, report_page, 0.3),
    Reader("design/answers.npz", design, mutate.headed, report_images, 0.3),
]
