"""Recipes, sweeps, journals, checkpoints, vectors of words."""

import io
import json
from dataclasses import asdict
from pathlib import Path
from random import Random

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader

RECIPE = """\
network = "lenet"
data = "mnist"
sparsity = "adaptive-2:8"
optimiser = "admm"
block = 8
prune_first = ["filter"]
batch = 64
weight_bits = 8
seed = 3
[layers]
conv2 = "kernel"
[epochs]
dense = 2
pruning = 1
[epochs.few]
dense = 1
pruning = 1
finetune = 1
mirror = 1
[pruning]
rho = 0.03
[training]
optimiser = "adam"
warmup = 0.1
pruning_batch = 32
[training.rates]
dense = 1e-3
[target]
cycles = 300_000
[layer_bits]
conv2 = 5
"""


def make_recipe(folder: Path) -> None:
    (folder / "recipe.toml").write_text(RECIPE)


def read_recipe(folder: Path) -> None:
    from pruning.training.recipe import read

    read(folder / "recipe.toml").settings(1000).key()


SWEEP = """recipe = "lenet"
seeds = [0, 1]
[grid]
sparsity = ["block", "adaptive-1:8"]
weight_bits = [8, 6]
"""


def make_sweep(folder: Path) -> None:
    (folder / "sweep.toml").write_text(SWEEP)


def read_sweep(folder: Path) -> None:
    from pruning.training.sweep.plan import read

    read(folder / "sweep.toml", folder / "out", None)


def make_words(folder: Path) -> None:
    """The npm package's file of word vectors, a small one."""
    words = ["the", "of", "and"]
    vectors = {word: [0.5, -1.25, 2.0, 2.4, n] for n, word in enumerate(words)}
    text = json.dumps({"size": 3, "dimensions": 3, "words": words, "vectors": vectors})
    (folder / "words.json").write_text(text)


def read_words(folder: Path) -> None:
    from pruning.transfer.search.words import read

    read(folder / "words.json", 2)


def make_journal(folder: Path) -> None:
    """As 'spec2 robustness' keeps what it has measured."""
    from pruning.robustness.journal import Journal, Learned

    journal = Journal(folder / "journal.json", "key")
    journal.keep("m clean", 97.5)
    journal.keep("patch", Learned([[[0, 255], [3, 4]]], [1.0], [[0.5, 2.5]]))


def read_journal(folder: Path) -> None:
    from pruning.robustness.journal import Journal

    journal = Journal(folder / "journal.json", "key")
    if journal.has("patch"):
        journal.patch("patch")


def _sweep_job(folder: Path):
    from pruning.training.sweep.plan import Job

    return Job("lenet", {}, 0, folder, "k")


def make_sweep_result(folder: Path) -> None:
    from pruning.training.sweep.engine import attempt

    attempt(_sweep_job(folder), lambda job: {"dense": 99.5, "integer": 98.25})


def read_sweep_result(folder: Path) -> None:
    from pruning.training.sweep.engine import known
    from pruning.training.sweep.spread import spread

    if outcome := known(_sweep_job(folder)):
        spread([outcome])


KEY = {"data": "mnist", "seed": 1}


def make_checkpoint(folder: Path) -> None:
    import torch

    from pruning.training.checkpoint import save_state
    from pruning.training.log import LogRow

    log = [asdict(LogRow("dense", 1, 0.5, 90.0, 1.0, 0.0, 0.0))]
    state = {
        "key": KEY,
        "phase": 1,
        "epoch": 2,
        "model": {"w": torch.zeros(3, 4)},
        "optimiser": None,
        "pass": None,
    }
    state |= {"admm": {"steps": 3, "finalised": False}, "log": log, "accuracy": {"dense": 99.0}}
    state |= {"spent": {"dense": 1.5}, "layer_bits": None}
    save_state(folder / "checkpoint.pt", state)


def change_checkpoint(content: bytes, rng: Random) -> bytes:
    """Members of the file (most of all its pickle) with other bytes, or other data pickled."""
    import torch

    how = rng.random()
    if how < 0.3:
        return mutate.octets(content, rng)
    if how < 0.6:
        members = mutate.unpack(content)
        name = rng.choice([*members, *(name for name in members if name.endswith(".pkl"))])
        members[name] = mutate.octets(members[name], rng) if rng.random() < 0.8 else bytes(8 << 20)
        packed = rng.choice((0, 0, 8))
        return mutate.pack(members, packed)
    state, made = torch.load(io.BytesIO(content), weights_only=True), io.BytesIO()
    state.pop("model")
    state = mutate.plain(state, rng)
    torch.save(state, made)
    return made.getvalue()


def read_checkpoint(folder: Path) -> None:
    from pruning.training.checkpoint import State, load_state

    load_state(folder / "checkpoint.pt", KEY, State)


READERS = [
    Reader("recipe.toml", make_recipe, mutate.text, read_recipe),
    Reader("sweep.toml", make_sweep, mutate.text, read_sweep),
    Reader("words.json", make_words, mutate.document, read_words, 0.5),
    Reader("journal.json", make_journal, mutate.document, read_journal),
    Reader("sweep.json", make_sweep_result, mutate.document, read_sweep_result),
    Reader("checkpoint.pt", make_checkpoint, change_checkpoint, read_checkpoint, 0.5),
]
