"""Started by torchrun (tests/pruning/training/test_distributed.py): a few steps of training, and their
result."""

import sys
from pathlib import Path

import torch

from hw.contract.network import tiny
from pruning import AdmmConfig, NetworkModel, prune_
from pruning.layers.gradient import optimiser_for
from pruning.training.distributed import World, joined
from pruning.training.train import Labelled, Pass, Phase, train_epoch


def train(optimiser: str, world: World) -> tuple[float, dict[str, torch.Tensor]]:
    """The mean loss and the weights after a pass over 23 images in batches of 5, the last of 3."""
    torch.manual_seed(4)
    model = NetworkModel(tiny())
    pruner = prune_(model, tiny(), AdmmConfig(layers={"conv1": None, "fc2": None}))
    generator = torch.Generator().manual_seed(1)
    images = torch.randint(0, 256, (23, 2, 9, 11), dtype=torch.uint8, generator=generator)
    data = Labelled(images, torch.randint(0, 5, (23,), generator=generator).byte())
    loss = train_epoch(
        model,
        optimiser_for(model, optimiser, 0.01, 1e-3),
        data,
        Phase("dense", 1, 0.01),
        0,
        Pass(len(data), torch.Generator().manual_seed(2)),
        batch=5,
        augment="shift-flip",
        world=world,
        penalty=pruner.penalty,
    )
    return loss, model.state_dict()


if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined() as world:
        loss, weights = train(sys.argv[1], world)
    threads = [thread.joinpath("comm").read_text() for thread in Path("/proc/self/task").iterdir()]
    talking = [name for name in threads if "gloo" in name]
    torch.save((loss, weights, talking), Path(sys.argv[2]) / f"{world.rank}-of-{world.size}.pt")
