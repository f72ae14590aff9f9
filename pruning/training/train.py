"""Training by the epoch: one visible loop, a schedule, accuracy.

Everything random in an epoch is drawn from a generator seeded by (seed, phase, epoch), and a
:class:`Pass` knows where in the epoch a run is. So one that was killed and resumed computes the same
numbers as one that was not (with the same torch version and thread count).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from pruning.layers.gradient import MOMENTUM
from pruning.training.augment import AUGMENTATIONS, to_float
from pruning.training.distributed import World
from pruning.training.precision import cast

PULL_EVERY = 4
"""Batches between pulls, each of which passes over all weights."""


ALONE = World()


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimiser.

    ``lr`` rises linearly over the first share ``warmup`` of all epochs and falls along a half cosine, to
    the share ``final`` of it, over the others.
    """

    name: str
    epochs: int
    lr: float
    warmup: float = 0.0
    final: float = 0.02

    def lr_at(self, done: float) -> float:
        """Learning rate after the share ``done`` (0..1) of the phase."""
        if done < self.warmup:
            return self.lr * (self.final + (1 - self.final) * done / self.warmup)
        done = (done - self.warmup) / (1 - self.warmup)
        return self.lr * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Labelled:
    """Images (n, C, H, W) and labels (n,), uint8 tensors, where the model is that they train."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, count: int) -> Labelled:
        """The first so many of them, or all where there are fewer."""
        return Labelled(self.images[:count], self.labels[:count])


class Pass:
    """A pass over a training set in random order: what is left of it, and the loss so far."""

    def __init__(self, images: int, generator: torch.Generator, most: int | None = None) -> None:
        """``most``: end after so many of the images."""
        self.generator = generator
        self.order = torch.randperm(images, generator=generator)[:most]
        self.position = 0
        self.loss = 0.0
        """Sum over the images up to ``position``."""

    @property
    def done(self) -> float:
        """Share of the images, 0..1."""
        return self.position / len(self.order)

    def next(self, batch: int) -> torch.Tensor:
        """Indices of the images of the next batch."""
        return self.order[self.position : self.position + batch]

    def advance(self, images: int, loss: float) -> None:
        """Count a batch of so many images with that mean loss."""
        self.position += images
        self.loss += loss * images

    def state_dict(self) -> dict[str, Any]:
        """All of it, to continue in the middle of an epoch."""
        return {
            "generator": self.generator.get_state(),
            "order": self.order,
            "position": self.position,
            "loss": self.loss,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue where :meth:`state_dict` was taken."""
        self.generator.set_state(state["generator"].cpu())
        self.order, self.position, self.loss = state["order"].cpu(), state["position"], state["loss"]


def train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    data: Labelled,
    phase: Phase,
    epoch: int,
    progress: Pass,
    *,
    batch: int,
    augment: str = "warp",
    precision: str = "float32",
    label_smoothing: float = 0.0,
    class_weights: torch.Tensor | None = None,
    world: World = ALONE,
    penalty: Callable[[], torch.Tensor] | None = None,
    pull: Callable[[float], object] | None = None,
    tick: Callable[[float, float], None] | None = None,
) -> float:
    """The rest of a pass over ``data``, augmented; returns the mean loss of the whole pass.

    A ``world`` of several processes shares each batch; a last one of fewer images than processes is left out.

    ``class_weights`` (classes,): what an image of a class counts in the loss, :func:`balance`; all alike
    without. ``penalty`` is added to the cross entropy of every batch; ``pull(rate)`` is called every few
    batches with the learning rate since the last time, as it adds up with momentum. ``tick(done, loss)`` is
    called after each batch with the share of the epoch that is done; this is where ADMM takes its steps.
    """
    model.train()
    shared = world.wrap(model)
    while progress.position < len(progress.order):
        chosen = progress.next(batch)
        if len(chosen) < world.size:
            break
        for group in optimiser.param_groups:
            group["lr"] = group["scale"] * phase.lr_at((epoch + progress.done) / phase.epochs)
        x = AUGMENTATIONS[augment](data.images[chosen], progress.generator)
        with cast(precision, x.device):
            scores = shared(world.share(x))
        labels = world.share(data.labels[chosen]).long()
        # Processes with one image more than others still count every image once.
        loss = F.cross_entropy(
            scores.float(), labels, class_weights, reduction="sum", label_smoothing=label_smoothing
        )
        loss = loss * (world.size / len(chosen))
        if penalty is not None:
            loss = loss + penalty()
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        if pull is not None and (progress.position // batch + 1) % PULL_EVERY == 0:
            pull(PULL_EVERY * phase.lr_at((epoch + progress.done) / phase.epochs) / (1 - MOMENTUM))
        mean = world.mean(loss.item())
        progress.advance(len(chosen), mean)
        if tick is not None:
            tick(progress.done, mean)
    return progress.loss / len(progress.order)


def balance(labels: torch.Tensor, classes: int) -> torch.Tensor:
    """(classes,) float32: what an image counts so that all classes count alike, 1 on average over the images
    with these ``labels`` (n,). A class without an image has 1."""
    counts = torch.bincount(labels.long(), minlength=classes)
    weights = len(labels) / (int((counts > 0).sum()) * counts.clamp(min=1))
    return torch.where(counts > 0, weights, 1.0).float()


@torch.no_grad()
def accuracy(model: nn.Module, data: Labelled, batch: int = 500, precision: str = "float32") -> float:
    """Share of ``data`` classified correctly, in percent."""
    model.eval()
    right = 0
    for x, y in zip(data.images.split(batch), data.labels.split(batch), strict=True):
        with cast(precision, x.device):
            right += int((model(to_float(x)).argmax(1) == y).sum())
    return 100 * right / len(data)


def generator_for(seed: int, phase: int, epoch: int) -> torch.Generator:
    """The source of randomness of one epoch."""
    return torch.Generator().manual_seed((seed * 64 + phase) * 4096 + epoch)
