"""Changes g of an image that leave its class what it is, each with what it does to where things lie.

Those that move pixels move a feature map likewise, though by less than a pixel and without what moves in:
where features are maps, :meth:`Augmentation.moved` is a first guess of the features of the changed image.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

from hw.util.documents import shown
from hw.util.errors import ConfigError


@dataclass(frozen=True)
class Augmentation:
    """name: of all that differ in size and sign alone. flip: left and right change sides. right, down: by how
    much of a side pixels move, black moving in. degrees: counterclockwise. zoom: how much larger. gain: of
    contrast, around the mean of the image."""

    name: str
    flip: bool = False
    right: float = 0.0
    down: float = 0.0
    degrees: float = 0.0
    zoom: float = 1.0
    gain: float = 1.0

    @property
    def moves(self) -> bool:
        """Whether pixels move."""
        return self.flip or (self.right, self.down, self.degrees, self.zoom) != (0, 0, 0, 1)

    def images(self, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Images (n, C, H, W) changed, rounded to pixels."""
        real = self.moved(torch.from_numpy(images).float())
        mean = real.mean((1, 2, 3), keepdim=True)
        real = mean + self.gain * (real - mean)
        found: NDArray[np.uint8] = (real + 0.5).floor().clamp(0, 255).to(torch.uint8).numpy()
        return found

    def moved(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (n, C, H, W), real, with their pixels moved: a flip exactly, all else between pixels."""
        if self.flip:
            maps = maps.flip(3)
        if (self.right, self.down, self.degrees, self.zoom) == (0, 0, 0, 1):
            return maps
        angle = math.radians(self.degrees)
        cos, sin = math.cos(angle) / self.zoom, math.sin(angle) / self.zoom
        theta = torch.tensor([[cos, -sin, -2 * self.right], [sin, cos, -2 * self.down]])
        grid = F.affine_grid(theta.expand(len(maps), 2, 3), [*maps.shape], align_corners=False)
        return F.grid_sample(maps, grid, align_corners=False)


SHIFT = 1 / 8
"""Of a side: 4 of 32 pixels, as is usual for CIFAR-10."""

ALL = (
    Augmentation("flip", flip=True),
    *(Augmentation("shift", right=x * SHIFT, down=y * SHIFT) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))),
    *(Augmentation("rotate", degrees=degrees) for degrees in (10.0, -10.0)),
    Augmentation("crop", zoom=1.2),
    *(Augmentation("contrast", gain=gain) for gain in (0.7, 1.4)),
)

NAMES = tuple(dict.fromkeys(augmentation.name for augmentation in ALL))


def chosen(names: Sequence[str]) -> tuple[Augmentation, ...]:
    """Those with one of ``names``, all for none. Raises ``ConfigError`` for a name that none has."""
    if strange := [name for name in names if name not in NAMES]:
        raise ConfigError(f"there is no augmentation {shown(strange[0])}: choose from {', '.join(NAMES)}")
    return tuple(augmentation for augmentation in ALL if not names or augmentation.name in names)
