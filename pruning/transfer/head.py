"""A head: one fully connected layer, trained on features with softmax and cross entropy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from pruning.training.train import balance
from pruning.transfer.cut import Features
from pruning.transfer.examples import Examples

LEAST_DEVIATION = 1.0
"""Of the mean deviation of features: what changes less is not made larger. Its weights would be the largest,
and all weights of a last layer share one step."""


@dataclass(frozen=True)
class Head:
    """weight (classes, features) and bias (classes,), for features that are whole numbers of 8 bits."""

    weight: torch.Tensor
    bias: torch.Tensor

    def scores(self, features: Features) -> Features:
        """(n, classes), real."""
        found: Features = (torch.from_numpy(features) @ self.weight.T + self.bias).numpy()
        return found

    def accuracy(self, features: Features, labels: np.ndarray) -> float:
        """Percent of images with these features that get their label."""
        return 100 * float((self.scores(features).argmax(1) == labels).mean())


def train(
    examples: Examples,
    *,
    keep: torch.Tensor | None = None,
    steps: int = 1500,
    batch: int = 64,
    rate: float = 3e-3,
    decay: float = 1.0,
    seed: int = 0,
) -> Head:
    """A head for ``examples``: ``steps`` of AdamW, the rate falling to 0 along a half cosine; all classes
    count alike, however many images they have.

    keep: (classes, features) bool, the weights that may be others than 0. Features are normalised by their
    deviation, which becomes part of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    deviation = examples.features.std(0)
    scale = 1 / deviation.clamp(min=LEAST_DEVIATION * float(deviation.mean()) + 1e-6)
    mean = examples.features.mean(0)
    gate = torch.ones(examples.classes, len(mean)) if keep is None else keep.float()
    weight = torch.zeros(examples.classes, len(mean), requires_grad=True)
    bias = torch.zeros(examples.classes, requires_grad=True)
    optimiser = torch.optim.AdamW(
        [{"params": [weight], "weight_decay": decay}, {"params": [bias], "weight_decay": 0.0}], rate
    )
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    weights = balance(examples.labels, examples.classes)
    done = 0
    while done < steps:
        x, targets = examples.draw(generator)
        x = (x - mean) * scale
        for part in torch.randperm(len(x), generator=generator).split(batch):
            loss = F.cross_entropy(F.linear(x[part], weight * gate, bias), targets[part], weights)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            falling.step()
            done += 1
    with torch.no_grad():
        weight = weight * gate
        return Head(weight * scale, bias - weight @ (mean * scale))
