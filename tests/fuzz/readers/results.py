"""What was found out: predictions, tables, explorations, features, codes."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.readers.images import pixels
from tests.fuzz.readers.models import small_network
from tests.fuzz.readers.row import Reader

VALID = {"digest": "0" * 64, "source": "1" * 64}


def make_predicted(folder: Path) -> None:
    figures = {"cycles": 900, "cycles_batch": 1700, "dsp": 24, "lut": 900, "bram36": 2.5, "weight_bits": 5000}
    (folder / "predicted.json").write_text(json.dumps({**VALID, "arrays": {"{}": figures, "x": figures}}))


def read_predicted(folder: Path) -> None:
    from sim.report.prediction_cache import _read

    for one in _read(folder / "predicted.json", VALID).values():
        1 / (one.dsp * one.cycles_batch * one.cycles)


def make_rows(folder: Path) -> None:
    row = {
        "network": "lenet",
        "scheme": "kernel",
        "share_pruned": 75.0,
        **{"accuracy_dense": 99.1, "accuracy_float": 99.0, "accuracy_integer": 98.9},
        **{"cycles": 9000, "cycles_batch": None, "op_per_dsp_cycle": 3.2, "storage_bits": 80_000},
        **{"seconds": 12.5, "command": "spec2 prune", "clocks_from": "Verilog", "digest": "0" * 64},
        **{"rows": 8, "lanes": 4, "batch": 1},
    }
    (folder / "rows.json").write_text(json.dumps([row, row | {"scheme": "2:8"}]))


def make_explored(folder: Path) -> None:
    chosen = {
        "config": {"rows": 8, "lanes": 4},
        "cycles": 1000,
        "ms": 0.25,
        "needs": {"dsp": 96, "bram36": 7.5},
    }
    said = "Of 1,000 clocks, layers bound by: array 60 %, inverse transform and output 40 %; images in 0 %."
    document = {"schema": 1, "network": "lenet", "chosen": chosen, "limits": ["Scarcest are LUTs.", said]}
    (folder / "explore.json").write_text(json.dumps(document))


def read_explored(folder: Path) -> None:
    from sim.report import networks_page

    networks_page.markdown([networks_page.read(folder / "explore.json")])


def read_rows(folder: Path) -> None:
    from sim.report.comparison import read_rows
    from sim.report.comparison_page import section

    found = read_rows(folder / "rows.json")
    section(found, "x.svg")
    section(found)


def make_manifest(folder: Path) -> None:
    from bitstreams.plans.manifest import Manifest

    made = Manifest("kc705", "xc7k325t", "vivado", 100e6, 921_600, "0" * 64, "1" * 64, tools={"spec2": "0.1"})
    (folder / "manifest.json").write_text(made.with_files({"a.xdc": b"x"}).to_text())


def read_manifest(folder: Path) -> None:
    from bitstreams.plans.manifest import Manifest

    found = Manifest.load(folder)
    found.board.lower(), found.artifact[:8], found.to_text(), round(found.clock_hz / 1e6, 6)


def make_answer(folder: Path) -> None:
    from hw.host.counters import Counters, LayerCounters
    from sim.bench.job import Answer

    run = Counters(300, 1, 2, 21, 4, 5, 6, 7, 8, 9, 10, (LayerCounters("conv", 100, 7),))
    Answer(np.zeros((2, 3), np.int32), (run, run), 900).save(folder)


def read_answer(folder: Path) -> None:
    from sim.bench.job import Answer

    Answer.load(folder, folder / "log")


def make_features(folder: Path) -> None:
    from hw.contract.artifact import random_artifact
    from hw.contract.features import About, features_of, save
    from sim import model

    artifact = random_artifact(small_network(), seed=1)
    kind, images = features_of(artifact, "conv"), pixels(9, 1, 8, 8)
    about = About(**asdict(kind), model=artifact.digest, images="0" * 64, count=9, source="integer model")
    save(folder / "features.npz", about, [model.features(artifact, images, "conv")], np.arange(9) % 3)


def read_features(folder: Path) -> None:
    """As 'spec2 index' and the queries of 'spec2 search'."""
    from hw.contract.features import load
    from pruning.transfer.search.index import make

    found = load(folder / "features.npz")
    made = make(found, "float")
    made.nearest(found, 1)
    found.first(1)


def make_index(method: str, bits: int) -> Callable[[Path], None]:
    def make(folder: Path) -> None:
        from hw.contract.features import About, Features
        from pruning.transfer.search import index

        what = {"network": "n", "layer": "c", "form": "average", "shape": (16, 2, 2), "step": None}
        what |= {"signed": False, "scores": False, "model": "0" * 64, "images": "0" * 64, "source": "Verilog"}
        vectors = np.random.default_rng(3).integers(0, 99, (9, 16), np.int32)
        found = Features(About(**what, count=9), vectors, np.arange(9) % 3)
        index.make(found, method, bits).save(folder / f"{method}.npz")

    return make


def read_index(method: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        """As 'spec2 search', for features of the right layer."""
        from hw.contract.features import Features
        from pruning.transfer.search.index import load

        found = load(folder / f"{method}.npz")
        vectors = np.ones((found.about.count, *found.about.vector), found.about.dtype)
        found.nearest(Features(found.about, vectors, found.labels), 1)

    return read


READERS = [
    Reader("predicted.json", make_predicted, mutate.document, read_predicted),
    Reader("rows.json", make_rows, mutate.document, read_rows),
    Reader("explore.json", make_explored, mutate.document, read_explored),
    Reader("manifest.json", make_manifest, mutate.document, read_manifest),
    Reader("answer.npz", make_answer, mutate.archive, read_answer),
    Reader("features.npz", make_features, mutate.headed, read_features),
    Reader("itq.npz", make_index("itq", 8), mutate.headed, read_index("itq")),
    Reader("float.npz", make_index("float", 0), mutate.headed, read_index("float")),
]
