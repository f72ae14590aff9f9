"""The experiment of docs/transfer.md: rows on a small task, what is kept, and the tables."""

from functools import partial

import msgspec
import numpy as np

from hw.contract.artifact import random_artifact
from hw.contract.network import Conv, Dense, Network
from pruning.transfer import adaptation, feature_maps
from sim import model
from sim.commands import transfer_experiment
from sim.commands.embedding import embedded, scored
from sim.commands.transfer_experiment import Memory, Task
from sim.commands.transfer_results import Fit, Results, Row, accuracies, fits, read

NETWORK = Network("net", (1, 8, 8), (Conv("conv", 1, 4, 3, padding=1), Dense("fc", 256, 3, relu=False)))


def task():
    rng = np.random.default_rng(0)
    labels = (np.arange(80) % 2).astype(np.uint8)
    images = rng.integers(0, 100, (80, 1, 8, 8)).astype(np.uint8)
    images[labels == 1, :, :4] += 120
    base = random_artifact(NETWORK, seed=1, kind="dense")
    return Task(base, images[:40], labels[:40], images[40:], labels[40:], images[:9])


def test_the_base_runs_an_image_once():
    base = task().base
    memory, asked = Memory(base), task().images
    first = memory(asked[:5])
    memory.base = None  # another run would fail
    again = memory(asked[[3, 1, 3]])
    assert np.array_equal(again, first[[3, 1, 3]]) and np.array_equal(first, embedded(base, asked[:5]))


def test_rows_are_kept_and_not_measured_again(tmp_path, monkeypatch):
    monkeypatch.setattr(transfer_experiment, "COUNTS", (6,))
    monkeypatch.setattr(transfer_experiment, "SEEDS", range(2))
    methods = {
        name: transfer_experiment.METHODS[name]
        for name in ("no augmentation", "images", "maps, channels, of the base")
    }
    monkeypatch.setattr(transfer_experiment, "METHODS", methods)
    monkeypatch.setitem(transfer_experiment.TASKS, "small", lambda data_dir, out: task())
    monkeypatch.setattr(feature_maps, "FORMS", ("move", "channels"))  # others take seconds
    monkeypatch.setattr(adaptation, "train", partial(adaptation.train, steps=100))
    transfer_experiment.experiment("small", None, tmp_path, 1)
    found = read(tmp_path / "small.json")
    assert [(row.method, row.seed) for row in found.rows] == [
        (name, seed) for name in methods for seed in range(2)
    ]
    runs = {row.method: (row.runs, row.others) for row in found.rows}
    assert runs == {
        "no augmentation": (12, 0),
        "images": (12 * 11, 0),
        "maps, channels, of the base": (12, 9 * 11),
    }
    assert min(row.accuracy for row in found.rows) > 80 and len(found.fits) == 2 * 3 * 10
    kept = msgspec.structs.replace(found.rows[0], accuracy=12.5)
    (tmp_path / "small.json").write_bytes(
        msgspec.json.encode(msgspec.structs.replace(found, rows=[kept, *found.rows[1:4]]))
    )
    transfer_experiment.experiment("small", None, tmp_path, 1)
    again = read(tmp_path / "small.json")
    assert [row.accuracy for row in again.rows] == [12.5, *(row.accuracy for row in found.rows[1:])]


def test_the_last_layer_alone_gives_the_models_scores():
    small = task()
    maps = embedded(small.base, small.images)
    assert np.array_equal(scored(small.base, maps), model.run(small.base, small.images))


def test_tables_have_mean_and_deviation_of_the_draws():
    rows = [Row("a", count, seed, 50.0 + 2 * seed, 0, 7, 3, 1.5) for count in (20, 50) for seed in range(3)]
    found = Results("digest", 0.5, rows, [Fit("none", 9, "flip", 0.25), Fit("none", 9, "flip", 0.75)])
    assert accuracies(found).splitlines()[2] == "| a | 52.00 ± 2.00 | 52.00 ± 2.00 | 7 | 3 | 3.5 | 1.5 |"
    assert fits(found).splitlines()[2] == "| 9 | none | 0.500 |"
