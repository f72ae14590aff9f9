"""The table of docs/own_networks.md: ``python -m tests.pruning.post_training.figures RECIPE --data-dir DIR``.

Trains the dense network of a recipe with each seed, or takes what ``spec2 prune`` or ``spec2 sweep`` left in
``--cache``, and prunes it without training: by magnitude, by saliency, and by saliency with the refit. Prints
mean and standard deviation over the seeds.
"""

from __future__ import annotations

import argparse
import copy
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import torch
from torch import nn

from hw.contract.network import Network
from hw.util.tables import table
from pruning import data
from pruning.optimisers import MagnitudeConfig, prune_
from pruning.post_training import compress
from pruning.quant.batch_norm_folding import fold_batch_norms_
from pruning.quant.export import to_artifact
from pruning.quant.quantise import quantise_
from pruning.training import recipe
from pruning.training.job import Job
from pruning.training.train import Labelled, accuracy
from sim import model as integer_model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recipe")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--cache", type=Path, default=Path("build"))
    parser.add_argument("--sparsity", nargs="*", default=["adaptive-2:8", "adaptive-1:8"])
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument(
        "--images", type=int, default=256, help="to calibrate on, drawn from those of training"
    )
    parser.add_argument("--test", type=int, default=1000, help="test images to measure on")
    given = parser.parse_args()
    torch.set_num_threads(1)

    found: dict[str, list[list[float]]] = {scheme: [] for scheme in ("dense", *given.sparsity)}
    for seed in given.seeds:
        wanted = recipe.find(given.recipe, seed=seed)
        images = data.load(wanted.data, given.data_dir)
        job = Job(wanted.settings(len(images.train_labels)), images, given.cache / f"figures-seed{seed}")
        job.train(False, given.cache, phases=1)
        drawn = np.random.default_rng(seed).permutation(len(images.train_images))[: given.images]
        few = torch.from_numpy(images.train_images[drawn]).float() / 255
        every = max(1, len(job.test_set) // given.test)  # a set may be sorted by label
        test = Labelled(job.test_set.images[::every], job.test_set.labels[::every])
        for scheme, of_seeds in found.items():
            methods = (False, False, True) if scheme == "dense" else (True, True, True)
            of_seeds.append(_measured(job.model, wanted.network, few, test, scheme, methods))
            print(seed, scheme, of_seeds[-1], flush=True)
    print(f"{given.recipe}, {len(few)} images to calibrate, {len(test)} to measure")
    rows = [(scheme, *map(_cell, zip(*of_seeds, strict=True))) for scheme, of_seeds in found.items()]
    print(table(["sparsity", "magnitude", "saliency", "refitted", "integers"], rows))


def _cell(of_seeds: Sequence[float]) -> str:
    """Mean and standard deviation; nothing where a method was not asked for."""
    if any(map(math.isnan, of_seeds)):
        return ""
    return f"{mean(of_seeds):.2f}" + (f" ± {stdev(of_seeds):.2f}" if len(of_seeds) > 1 else "")


def _measured(
    dense: nn.Module,
    network: Network,
    few: torch.Tensor,
    test: Labelled,
    scheme: str,
    methods: tuple[bool, ...],
) -> list[float]:
    """Accuracies in percent by each method, NaN of those not wanted, and of the integers of the last."""
    targets = recipe.Recipe("figures", network, data="mnist", sparsity=scheme).targets()
    config = MagnitudeConfig(None, {layer.name: targets.sparsity(layer.name) for layer in network.layers})
    found: list[float] = []
    refit = compress.refit_
    for number, wanted in enumerate(methods):
        model = copy.deepcopy(dense).eval()
        if number == 0:
            fold_batch_norms_(model, network)
            prune_(model, network, config).finalise()
        else:
            compress.refit_ = refit if number == 2 else lambda *_: None
            compress.compress_(model, network, few, config)
        found.append(accuracy(model, test) if wanted else math.nan)
    compress.refit_ = refit
    quantise_(model, network, few)
    scores = integer_model.run(to_artifact(model, network), test.images.numpy())
    return [*found, 100 * float((scores.argmax(1) == test.labels.numpy()).mean())]


if __name__ == "__main__":
    main()
