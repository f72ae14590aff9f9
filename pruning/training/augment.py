"""Random changes of training images that leave their class what it is.

Images may be on any device; random numbers come from the processor, the same for all.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F

SHIFT = 4
"""Pixels a picture is moved by at most, as is usual for CIFAR-10."""


CUT = 8
"""Pixels of the side of the square that is cut out of a picture."""


def to_float(images: torch.Tensor) -> torch.Tensor:
    """uint8 (n, C, H, W) to the network's input, real 0..1."""
    return images.float() / 255


def warp(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """For digits: turn (±10°), scale and shear (±10 %) and shift (±2 pixels) every image at random.

    Parameters: ``images`` uint8 (n, C, H, W). Returns the same shape in 0..1, whole steps of 1/255, as
    the hardware's input is.
    """
    n, _, height, width = images.shape
    angle, scale, shear, dx, dy = (2 * torch.rand(5, n, generator=generator) - 1).to(images.device)
    angle, scale, shear = angle * math.radians(10), 1 + 0.1 * scale, 0.1 * shear
    sin, cos = angle.sin() * scale, angle.cos() * scale
    rows = [cos, shear - sin, dx * 4 / width, sin, cos, dy * 4 / height]
    theta = torch.stack(rows, dim=1).view(n, 2, 3)
    grid = F.affine_grid(theta, [n, 1, height, width], align_corners=False)
    moved = F.grid_sample(images.float(), grid, align_corners=False)
    return torch.floor(moved + 0.5) / 255


def shift_and_flip(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """For pictures: move by up to ±4 pixels, zeros moving in, and mirror every second one at random.

    Parameters: ``images`` uint8 (n, C, H, W). Returns the same shape, in 0..1.
    """
    n, _, height, width = images.shape
    padded = F.pad(images, (SHIFT, SHIFT, SHIFT, SHIFT))
    top, left = torch.randint(0, 2 * SHIFT + 1, (2, n, 1), generator=generator)
    flipped = torch.rand(n, 1, generator=generator) < 0.5
    columns = torch.arange(width).expand(n, width)
    columns = torch.where(flipped, width - 1 - columns, columns) + left
    rows = torch.arange(height) + top
    picked = padded[torch.arange(n)[:, None, None], :, rows[:, :, None], columns[:, None, :]]
    return to_float(picked.permute(0, 3, 1, 2))  # indices in front of a slice put it last


def shift_flip_and_cut(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """:func:`shift_and_flip`, then a square of zeros anywhere, which may reach beyond the edge.

    T. DeVries and G. W. Taylor, arXiv:1708.04552. Parameters and result are those of :func:`shift_and_flip`.
    """
    moved = shift_and_flip(images, generator)
    n, _, height, width = moved.shape
    y, x = (torch.randint(0, size, (n, 1), generator=generator) for size in (height, width))
    rows = (torch.arange(height) - y + CUT // 2).div(CUT, rounding_mode="floor") == 0
    columns = (torch.arange(width) - x + CUT // 2).div(CUT, rounding_mode="floor") == 0
    cut = rows[:, None, :, None] & columns[:, None, None, :]
    return moved.masked_fill(cut.to(moved.device), 0.0)


def none(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Images as they are, in 0..1."""
    return to_float(images)


AUGMENTATIONS: dict[str, Callable[[torch.Tensor, torch.Generator], torch.Tensor]] = {
    "none": none,
    "warp": warp,
    "shift-flip": shift_and_flip,
    "shift-flip-cut": shift_flip_and_cut,
}
"""By name: from uint8 (n, C, H, W) and a generator to the network's input."""
