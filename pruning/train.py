"""Training by the epoch: one visible loop, a schedule, augmentation, accuracy.

Everything random in an epoch is drawn from a generator seeded by (seed, phase, epoch), so a run that
was killed and resumed computes the same numbers as one that was not (with the same torch version
and thread count).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from hw.words import TILE
from pruning.spectral import SpectralConv2d

FINAL_LR = 0.02
"""The cosine schedule ends at this share of a phase's learning rate."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one optimiser: ``lr`` falls along a half cosine over all its epochs."""

    name: str
    epochs: int
    lr: float

    def lr_at(self, done: float) -> float:
        """Learning rate after the share ``done`` (0..1) of the phase."""
        return self.lr * (FINAL_LR + (1 - FINAL_LR) * 0.5 * (1 + math.cos(math.pi * done)))


@dataclass(frozen=True)
class Digits:
    """Images (n, H, W) and labels (n,), uint8 tensors."""

    images: torch.Tensor
    labels: torch.Tensor

    def __len__(self) -> int:
        return len(self.labels)


def to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, H, W) to the network's input (n, 1, H, W), real 0..1."""
    return images.unsqueeze(1).float() / 255


def train_epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    data: Digits,
    phase: Phase,
    epoch: int,
    *,
    batch: int,
    generator: torch.Generator,
    penalty: Callable[[], torch.Tensor] | None = None,
    tick: Callable[[float, float], None] | None = None,
) -> float:
    """One pass over ``data`` in random order, augmented; returns the mean loss.

    ``penalty`` is added to the cross entropy of every batch. ``tick(done, loss)`` is called after
    each batch with the share of the epoch that is done; this is where ADMM takes its steps.
    """
    model.train()
    order = torch.randperm(len(data), generator=generator)
    total = 0.0
    for start in range(0, len(data), batch):
        chosen = order[start : start + batch]
        for group in optimiser.param_groups:
            group["lr"] = group["scale"] * phase.lr_at((epoch + start / len(data)) / phase.epochs)
        scores = model(augment(data.images[chosen], generator))
        loss = F.cross_entropy(scores, data.labels[chosen].long())
        if penalty is not None:
            loss = loss + penalty()
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        total += loss.item() * len(chosen)
        if tick is not None:
            tick((start + len(chosen)) / len(data), loss.item())
    return total / len(data)


def optimiser_for(model: nn.Module, phase: Phase) -> torch.optim.Adam:
    """Adam, with steps of equal size in space for all layers.

    Adam's step does not follow a parameter's scale, and an 8×8 spectrum is 8 times as large as the
    unitary transform's: its weights get 8 times the learning rate (a group's ``scale``).
    """
    spectra = [m.weight for m in model.modules() if isinstance(m, SpectralConv2d)]
    others = [p for p in model.parameters() if all(p is not spectrum for spectrum in spectra)]
    groups = [{"params": others, "scale": 1}, {"params": spectra, "scale": TILE}]
    return torch.optim.Adam([group for group in groups if group["params"]], lr=phase.lr)


def augment(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Turn (±10°), scale and shear (±10 %) and shift (±2 pixels) every image at random.

    Parameters: ``images`` uint8 (n, H, W). Returns (n, 1, H, W) in 0..1, whole steps of 1/255, as
    the hardware's input is.
    """
    n, height, width = images.shape
    angle, scale, shear, dx, dy = 2 * torch.rand(5, n, generator=generator) - 1
    angle, scale, shear = angle * math.radians(10), 1 + 0.1 * scale, 0.1 * shear
    sin, cos = angle.sin() * scale, angle.cos() * scale
    rows = [cos, shear - sin, dx * 4 / width, sin, cos, dy * 4 / height]
    theta = torch.stack(rows, dim=1).view(n, 2, 3)
    grid = F.affine_grid(theta, [n, 1, height, width], align_corners=False)
    moved = F.grid_sample(images.unsqueeze(1).float(), grid, align_corners=False)
    return torch.floor(moved + 0.5) / 255


@torch.no_grad()
def accuracy(model: nn.Module, data: Digits, batch: int = 500) -> float:
    """Share of ``data`` classified correctly, in percent."""
    model.eval()
    pairs = zip(data.images.split(batch), data.labels.split(batch), strict=True)
    right = sum(int((model(to_float(x)).argmax(1) == y).sum()) for x, y in pairs)
    return 100 * right / len(data)


def generator_for(seed: int, phase: int, epoch: int) -> torch.Generator:
    """The source of randomness of one epoch."""
    return torch.Generator().manual_seed((seed * 64 + phase) * 4096 + epoch)
