"""Recurrent networks read MNIST digits row by row, pruned as the sets say: what that costs in accuracy.

``python -m pruning.training.row_digits [--data-dir DIR] [--seeds 3] [--out FILE]``: an LSTM and a GRU of 64
units, 28 steps of 28 pixels, dense and with a quarter and an eighth of both matrices left, by reweighted
regularisation for blocks (as BLK-REW, arXiv:2001.08357) and by ADMM for the others. Mean and standard
deviation over the seeds. What FILE holds already, as after an interruption, is not trained again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import mean, stdev

import torch
import torch.nn.functional as F
from torch import nn

from hw.contract.artifact import Sparsity
from hw.util.documents import decode, read
from hw.util.files import write_json
from hw.util.tables import table
from pruning.data import mnist
from pruning.data.image_set import ImageSet
from pruning.optimisers import AdmmConfig, ReweightedConfig, Targets
from pruning.optimisers.recurrent import prune_recurrent_
from pruning.training.recipe_file import FEW

UNITS, BLOCK, BATCH = 64, 8, 128
DENSE, PULLED, FIXED = 4, 4, 3
"""Epochs: without pruning, while it pulls, with its masks."""

OFTEN = 6
"""Times as many epochs for sets of less than :data:`pruning.training.recipe_file.FEW` images."""

LAYERS = {"lstm": nn.LSTM, "gru": nn.GRU}
SHARES = (4, 8)
"""One weight in so many stays."""


def targets(kind: str, share: int) -> Targets:
    """What leaves one of ``share`` weights."""
    sparsity = {
        "block": Sparsity("block", 1, share, BLOCK),
        "uniform": Sparsity("uniform", 8 // share, 8),
        "unstructured": Sparsity("unstructured", 1, share),
    }[kind]
    return ReweightedConfig(sparsity) if kind == "block" else AdmmConfig(sparsity)


PATTERNS = ("unstructured", "uniform", "block")


class RowReader(nn.Module):
    """A recurrent layer over the rows of an image (B, 1, 28, 28), and a linear one after the last of them."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.rows = LAYERS[kind](28, UNITS, batch_first=True)
        self.scores = nn.Linear(UNITS, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        states, _ = self.rows(x.flatten(1, 2))
        scores: torch.Tensor = self.scores(states[:, -1])
        return scores


def train(kind: str, data: ImageSet, seed: int, wanted: Mapping[str, Targets]) -> dict[str, float]:
    """Accuracies in percent: of the dense network (``dense``), and of a copy pruned to each of ``wanted``."""
    torch.manual_seed(seed)
    model = RowReader(kind)
    _epochs(model, data, DENSE, 2e-3)
    dense = {name: value.clone() for name, value in model.state_dict().items()}
    for epochs in (PULLED, FIXED):  # as long as the others
        _epochs(model, data, epochs, 1e-3)
    found = {"dense": _accuracy(model, data)}
    for name, config in wanted.items():
        torch.manual_seed(seed)
        model = RowReader(kind)
        model.load_state_dict(dense)
        pruner = prune_recurrent_(model, config)
        _epochs(model, data, PULLED, 1e-3, pruner)
        pruner.finalise()
        _epochs(model, data, FIXED, 1e-3)
        found[name] = _accuracy(model, data)
    return found


def _epochs(model: nn.Module, data: ImageSet, epochs: int, rate: float, pruner=None) -> None:
    """Train with Adam, small sets :data:`OFTEN` times as long; ``pruner`` takes four steps an epoch."""
    epochs *= 1 if len(data.train_labels) >= FEW else OFTEN
    images, labels = (torch.from_numpy(a) for a in (data.train_images, data.train_labels))
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    total = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    done, often = 0, max(1, total // (4 * epochs))
    for _ in range(epochs):
        for batch in torch.randperm(len(images)).split(BATCH):
            scores = model(images[batch].float() / 255)
            loss = F.cross_entropy(scores, labels[batch].long())
            loss = loss + pruner.penalty() if pruner else loss
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            if pruner and done % often == 0:
                pruner.step()


@torch.no_grad()
def _accuracy(model: nn.Module, data: ImageSet) -> float:
    scores = model(torch.from_numpy(data.test_images).float() / 255)
    right = (scores.argmax(1) == torch.from_numpy(data.test_labels)).float().mean()
    return round(100 * float(right), 2)


def shown(rows: Mapping[str, Mapping[str, float]]) -> str:
    """A table of what ``train`` found, by kind and seed (``lstm/0``)."""
    out = []
    for kind in LAYERS:
        runs = [row for name, row in rows.items() if name.startswith(f"{kind}/")]
        if not runs:
            continue
        for name in runs[0]:
            values = [run[name] for run in runs]
            spread = f" ± {stdev(values):.2f}" if len(values) > 1 else ""
            cost = mean(run[name] - run["dense"] for run in runs)
            out.append((kind, name, f"{mean(values):.2f}{spread}", f"{cost:+.2f}", len(values)))
    return table(["layer", "weights that stay", "accuracy %", "against dense", "seeds"], out)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m pruning.training.row_digits", description=__doc__)
    parser.add_argument("--data-dir", type=Path, help="Folder with all of MNIST. [default: the 5,000 digits]")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("build/row_digits.json"), help="Results so far.")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    data = mnist.load(options.data_dir)
    held = (
        decode(read(options.out), dict[str, dict[str, dict[str, float]]], str(options.out))
        if options.out.exists()
        else {}
    )
    rows = held.setdefault(data.name, {})
    wanted = {f"1 of {share}, {kind}": targets(kind, share) for share in SHARES for kind in PATTERNS}
    for kind in LAYERS:
        for seed in range(options.seeds):
            if f"{kind}/{seed}" not in rows:
                rows[f"{kind}/{seed}"] = train(kind, data, seed, wanted)
                write_json(options.out, held)
                print(f"{kind}, seed {seed}: {json.dumps(rows[f'{kind}/{seed}'])}", file=sys.stderr)
    print(shown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
