"""One patch that misleads a model on any image and wherever it lies; or several models at once.

Projected ascent of the cross-entropy over patches, by Adam, each step with other images and placements. For
several models the weights of their losses are learned as well, against the patch: a model that is misled
easily counts less and less (the min-max of arXiv:1910.11099, of models in place of its detectors)::

    max over patches δ   min over weights w of a simplex   Σ w_i·loss_i(δ) + γ/2·|w - 1/m|²
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from pruning.robustness import placement

Progress = Callable[[int, int], None]
"""Called with (steps done, of how many)."""


@dataclass(frozen=True)
class Settings:
    """steps of batches of ``batch`` images; rate of Adam, in shares of white; gamma, how strongly weights of
    several models are drawn together, and weight_rate, by how much of their losses they change in a step."""

    steps: int = 300
    batch: int = 64
    rate: float = 0.03
    gamma: float = 1.0
    weight_rate: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class Patch:
    """pixels: (C, p, p), 0 to 1. weights: of each model, in the end. losses: of each model, the mean over the
    first tenth of all steps and over the last: a patch that misleads has raised it."""

    pixels: Tensor
    weights: tuple[float, ...]
    losses: tuple[tuple[float, float], ...]


def learn(
    models: Sequence[nn.Module],
    images: NDArray[np.uint8],
    labels: NDArray[np.integer],
    area: float,
    settings: Settings | None = None,
    progress: Progress | None = None,
) -> Patch:
    """A patch of a share ``area`` of images (n, C, H, W) whose labels (n,) ``models`` then miss.

    models: from real images, 0 to 1, to class scores, in units in which they train (a softmax of them means
    something); their parameters stay. Raises ``ConfigError`` for an area that is none.
    """
    settings = settings or Settings()
    generator = torch.Generator().manual_seed(settings.seed)
    side = placement.side_of(area, *images.shape[2:])
    pixels = torch.rand(images.shape[1], side, side, generator=generator).requires_grad_()
    optimiser = torch.optim.Adam([pixels], settings.rate)
    weights = torch.full((len(models),), 1 / len(models))
    history = []
    for step in range(settings.steps):
        picked = torch.randint(len(images), (settings.batch,), generator=generator).numpy()
        real = torch.from_numpy(images[picked]).float() / 255
        truth = torch.from_numpy(labels[picked].astype(np.int64))
        shown = placement.place(real, pixels, placement.drawn(len(real), generator))
        losses = torch.stack([F.cross_entropy(model(shown), truth) for model in models])
        (pixels.grad,) = torch.autograd.grad(-(weights * losses).sum(), [pixels])
        optimiser.step()
        with torch.no_grad():
            pixels.clamp_(0, 1)
            slope = losses + settings.gamma * (weights - 1 / len(models))
            weights = on_simplex(weights - settings.weight_rate * slope)
        history.append(losses.detach())
        if progress:
            progress(step + 1, settings.steps)
    few = max(1, settings.steps // 10)
    first, last = (torch.stack(part).mean(0).tolist() for part in (history[:few], history[-few:]))
    return Patch(pixels.detach(), tuple(weights.tolist()), tuple(zip(first, last, strict=True)))


def on_simplex(values: Tensor) -> Tensor:
    """The nearest point, (m,), whose parts are at least 0 and add up to 1 (J. Duchi et al., ICML 2008)."""
    falling = values.sort(descending=True).values
    excess = (falling.cumsum(0) - 1) / torch.arange(1, len(values) + 1)
    last = int((falling > excess).nonzero().max())
    return (values - excess[last]).clamp(min=0)


def shown(
    images: NDArray[np.uint8], patch: Tensor, placements: placement.Placements, batch: int = 250
) -> NDArray[np.uint8]:
    """Images (n, C, H, W) with the patch on each, rounded to pixels."""
    parts = []
    with torch.no_grad():
        for first in range(0, len(images), batch):
            part = slice(first, first + batch)
            real = torch.from_numpy(images[part]).float() / 255
            laid = placement.place(real, patch, placements.of(part))
            parts.append((255 * laid + 0.5).floor().clamp(0, 255).to(torch.uint8).numpy())
    return np.concatenate(parts)
