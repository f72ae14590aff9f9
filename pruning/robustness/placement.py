"""Where and how a patch lies on an image: anywhere, turned, nearer or farther, in other light, bent as cloth.

A patch that is to mislead in the world has to do so however it lies, so it is trained on placements that are
drawn at random (expectation over transformations, arXiv:1707.07397). Cloth bends by thin-plate splines
(arXiv:1910.11099): nine points of the patch are moved, and all others follow smoothly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
import torch.nn.functional as F
from kornia.geometry.transform import get_tps_transform, warp_image_tps
from torch import Tensor

from hw.util.errors import ConfigError

DEGREES, SCALE, LIGHT, GAIN, BEND = 20.0, 0.15, 0.1, 0.2, 0.08
"""Largest turn either way; change of size; of brightness, as a share of white; of contrast; and the standard
deviation of a point's move, as a share of half the patch's side."""

GRID = (-0.75, 0.0, 0.75)
"""Rows and columns of the points that move, of a patch of -1 to 1."""

MARGIN = 2
"""Pixels beside the patch that it may bend into."""


@dataclass(frozen=True)
class Placements:
    """Of n images. x, y: (n,), the middle of the patch; at -1 and 1 it touches the image's edge, as long as
    it is neither turned nor scaled. angle: (n,), radians. scale, light, gain: (n,). bend: (n, 9, 2), moves of
    the points of :data:`GRID`."""

    x: Tensor
    y: Tensor
    angle: Tensor
    scale: Tensor
    light: Tensor
    gain: Tensor
    bend: Tensor

    def of(self, part: slice) -> Placements:
        """Those of some of the images."""
        return Placements(*(getattr(self, field.name)[part] for field in fields(self)))


def drawn(count: int, generator: torch.Generator) -> Placements:
    """``count`` placements, at random."""
    x, y, angle, scale, light, gain = 2 * torch.rand(6, count, generator=generator) - 1
    bend = BEND * torch.randn(count, len(GRID) ** 2, 2, generator=generator)
    return Placements(
        x, y, math.radians(DEGREES) * angle, 1 + SCALE * scale, LIGHT * light, 1 + GAIN * gain, bend
    )


def side_of(area: float, height: int, width: int) -> int:
    """Side in pixels of a square patch that covers a share ``area`` of images (H, W).

    Raises ``ConfigError`` for a share that is none, and for a patch that would be no pixel or not fit.
    """
    if not 0 < area < 1:
        raise ConfigError(f"a patch covers a share of the image between 0 and 1, not {area:g}")
    side = round(math.sqrt(area * height * width))
    if not 1 <= side <= min(height, width):
        raise ConfigError(
            f"a square patch of {area:.0%} of {height}×{width} pixels has a side of {side}: "
            "choose another share"
        )
    return side


def place(images: Tensor, patch: Tensor, placements: Placements) -> Tensor:
    """Images with the patch on each, differentiable in both.

    images: (n, C, H, W), real, 0 to 1; patch: (C, p, p), 0 to 1. Returns real images, 0 to 1, not rounded
    to pixels.
    """
    lit = patch * placements.gain.view(-1, 1, 1, 1) + placements.light.view(-1, 1, 1, 1)
    cloth = torch.cat([lit.clamp(0, 1), lit.new_ones(len(lit), 1, *patch.shape[1:])], 1)
    laid = _laid(
        _bent(F.pad(cloth, [MARGIN] * 4), placements.bend), images.shape, patch.shape[-1], placements
    )
    cover = laid[:, -1:].clamp(0, 1)
    return images * (1 - cover) + laid[:, :-1]


def _bent(cloth: Tensor, moves: Tensor) -> Tensor:
    points = torch.cartesian_prod(torch.tensor(GRID), torch.tensor(GRID)).expand(len(moves), -1, 2)
    weights, affine = get_tps_transform(points + moves, points)  # of a point of the result: where it was
    bent: Tensor = warp_image_tps(cloth, points, weights, affine, align_corners=True)
    return bent


def _laid(cloth: Tensor, shape: torch.Size, side: int, placements: Placements) -> Tensor:
    """Cloth (n, C + 1, p', p') on an empty image of ``shape``: pixels of the patch times its cover."""
    n, _, height, width = shape
    x, y = (at * (size - side) / 2 for at, size in ((placements.x, width), (placements.y, height)))
    half = placements.scale * cloth.shape[-1] / 2
    cos, sin = placements.angle.cos() / half, placements.angle.sin() / half
    # A pixel of the image, from its middle, in pixels: turned and scaled it is one of the cloth, -1 to 1.
    rows = [cos * width / 2, sin * height / 2, -(cos * x + sin * y)]
    rows += [-sin * width / 2, cos * height / 2, sin * x - cos * y]
    theta = torch.stack(rows, 1).view(n, 2, 3)
    grid = F.affine_grid(theta, [n, cloth.shape[1], height, width], align_corners=False)
    return F.grid_sample(cloth, grid, align_corners=False)
