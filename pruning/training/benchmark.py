"""How fast training is: steps of a network in space and in the frequency domain, taken in rounds.

``python -m pruning.training.benchmark [NETWORK] [--batch 128] [--rounds 5] [--out FILE]``: images per second
of a whole step (forward, backward, optimiser) with ordinary convolutions in float32 and in bf16, and with
spectral layers in bf16 while ADMM prunes them and after their masks are fixed. Only ratios within one run
mean anything; they are of processor time, so that other programs disturb them little. bf16 is measured also
where training would take float32 instead; then the table is followed by the sentence that says so.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F

from hw.contract.network import Network, find_network
from hw.util.files import write_json
from pruning.layers.gradient import optimiser_for
from pruning.layers.models import NetworkModel
from pruning.optimisers import Pruner, prune_
from pruning.training.memory import keep_freed_memory
from pruning.training.precision import NO_BF16, autocast, has_bf16
from pruning.training.recipe import Recipe
from pruning.training.train import PULL_EVERY


def stepper(network: Network, images: torch.Tensor, precision: str, layers: str) -> Callable[[], None]:
    """A function that trains one step; ``layers`` is ``space``, ``pruning`` or ``pruned``."""
    model = NetworkModel(network, batch_norm=True).to(memory_format=torch.channels_last)
    pruner: Pruner | None = None
    if layers != "space":
        pruner = prune_(model, network, Recipe("benchmark", network, data="cifar10", block=64).targets())
        if layers == "pruned":
            pruner.finalise()
    optimiser = optimiser_for(model, "sgd", lr=1e-3, weight_decay=5e-4)
    labels = torch.zeros(len(images), dtype=torch.long)
    taken = 0

    def step() -> None:
        nonlocal taken
        with autocast(precision, images.device):
            scores = model(images)
        model.zero_grad(set_to_none=True)
        F.cross_entropy(scores.flatten(1).float(), labels).backward()
        optimiser.step()
        taken += 1
        if pruner is not None and not taken % PULL_EVERY:
            pruner.pull(1e-3)

    return step


OPTIONS = {
    "Conv2d float32": ("float32", "space"),
    "Conv2d bf16": ("bf16", "space"),
    "spectral bf16, ADMM": ("bf16", "pruning"),
    "spectral bf16, masks fixed": ("bf16", "pruned"),
}


def measure(network: Network, batch: int, rounds: int) -> dict[str, float]:
    """Images per second of processor time by option: the median of so many rounds of ``PULL_EVERY`` steps."""
    images = torch.rand(batch, *network.input)
    steppers = {name: stepper(network, images, *option) for name, option in OPTIONS.items()}
    times: dict[str, list[float]] = {name: [] for name in OPTIONS}
    for round_ in range(rounds + 1):
        for name, step in steppers.items():
            start = time.process_time()
            for _ in range(PULL_EVERY):
                step()
            if round_:  # the first round allocates and compiles
                times[name].append(time.process_time() - start)
    return {name: batch * PULL_EVERY / median(found) for name, found in times.items()}


def markdown(measured: dict[str, Any]) -> str:
    """The table of what :func:`main` writes."""
    speed = measured["images_per_second"]
    base = speed["Conv2d float32"]
    lines = ["| way | images/s | of Conv2d float32 |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {v:.0f} | {v / base:.2f} |" for name, v in speed.items())])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pruning.training.benchmark", description=__doc__)
    parser.add_argument("network", nargs="?", default="vgg16-cifar")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    keep_freed_memory()
    speed = measure(find_network(options.network), options.batch, options.rounds)
    measured = {"network": options.network, "batch": options.batch, "images_per_second": speed}
    print(markdown(measured))
    if not has_bf16():
        print(NO_BF16, file=sys.stderr)
    if options.out:
        write_json(options.out, measured)


if __name__ == "__main__":
    main()
