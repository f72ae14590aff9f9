"""A task that a small network learns in seconds: which way a grating runs, under noise."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

CLASSES, SIDE = 6, 12


def gratings(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """(count, 1, 12, 12) uint8, and labels (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, CLASSES, (count,), generator=generator)
    angle = (labels + 0.3 * torch.randn(count, generator=generator)) * math.pi / CLASSES
    phase, wave = (torch.rand(count, generator=generator) for _ in range(2))
    y, x = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    along = x * angle.cos()[:, None, None] + y * angle.sin()[:, None, None]
    bright = torch.sin(along * (0.9 + 0.6 * wave)[:, None, None] + 2 * math.pi * phase[:, None, None])
    noise = 0.8 * torch.randn(count, SIDE, SIDE, generator=generator)
    return (128 + 50 * (bright + noise)).clamp(0, 255).round().to(torch.uint8)[:, None], labels


def trained(seed: int = 1, steps: int = 250) -> nn.Sequential:
    """A network of two convolutions, a batch norm and a classifier, in eval mode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, padding=1, bias=False),
            nn.BatchNorm2d(24),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 24, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(24 * 9, CLASSES),
        )
        images, labels = gratings(steps * 32, seed)
        optimiser = torch.optim.Adam(net.parameters(), 2e-3)
        for x, y in zip((images / 255).split(32), labels.split(32), strict=True):
            optimiser.zero_grad()
            F.cross_entropy(net(x), y).backward()
            optimiser.step()
    return net.eval()


@torch.no_grad()
def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Percent."""
    return 100 * float((model.eval()(images / 255).argmax(1) == labels).float().mean())
