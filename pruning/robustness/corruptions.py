"""What happens to images on their way: noise, blur, little contrast, JPEG.

After D. Hendrycks and T. Dietterich, arXiv:1903.12261; severities are ours, and the third one leaves images
that people still know.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from kornia.filters import gaussian_blur2d
from numpy.typing import NDArray
from PIL import Image

from hw.util.documents import shown
from hw.util.errors import ConfigError

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class Corruption:
    """``change(images, amount, rng)`` of images (n, C, H, W); amounts, in ``unit``: of each severity, the
    mildest first."""

    name: str
    unit: str
    amounts: tuple[float, ...]
    change: Callable[[Images, float, np.random.Generator], NDArray[np.floating] | Images]

    def images(self, images: Images, severity: int, seed: int) -> Images:
        """``images`` in ``severity``, 1 for the mildest, rounded to pixels. The same seed changes an image
        in the same way, however many follow it."""
        rng = np.random.default_rng((seed, severity))
        changed = self.change(images, self.amounts[severity - 1], rng)
        return np.asarray(np.clip(np.floor(changed + 0.5), 0, 255), np.uint8)


def _noise(images: Images, amount: float, rng: np.random.Generator) -> NDArray[np.floating]:
    return images + 255 * amount * rng.standard_normal(images.shape, np.float32)


def _blur(images: Images, amount: float, rng: np.random.Generator) -> NDArray[np.floating]:
    side = 2 * math.ceil(3 * amount) + 1
    blurred = gaussian_blur2d(torch.from_numpy(images).float(), side, (amount, amount))
    return np.asarray(blurred)


def _contrast(images: Images, amount: float, rng: np.random.Generator) -> NDArray[np.floating]:
    """Around the mean of each image."""
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    changed: NDArray[np.floating] = mean + amount * (images - mean)
    return changed


def _jpeg(images: Images, amount: float, rng: np.random.Generator) -> Images:
    """Three channels are a picture in colour; of any other number each is one in grey."""
    if images.shape[1] == 3:
        return np.stack([_coded(image.transpose(1, 2, 0), amount).transpose(2, 0, 1) for image in images])
    return np.stack([np.stack([_coded(plane, amount) for plane in image]) for image in images])


def _coded(picture: Images, quality: float) -> Images:
    """A picture (H, W) or (H, W, 3) written as JPEG and read again."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=int(quality))
    return np.asarray(Image.open(file))


ALL = (
    Corruption("noise", "σ of white", (0.04, 0.08, 0.12), _noise),
    Corruption("blur", "σ in pixels", (0.5, 1.0, 1.5), _blur),
    Corruption("contrast", "of the whole", (0.6, 0.4, 0.2), _contrast),
    Corruption("jpeg", "quality", (60, 30, 10), _jpeg),
)

SEVERITIES = 3

NAMES = tuple(corruption.name for corruption in ALL)


def chosen(names: Sequence[str]) -> tuple[Corruption, ...]:
    """Those with one of ``names``, all for none. Raises ``ConfigError`` for a name that none has."""
    if strange := [name for name in names if name not in NAMES]:
        raise ConfigError(f"there is no corruption {shown(strange[0])}: choose from {', '.join(NAMES)}")
    return tuple(corruption for corruption in ALL if not names or corruption.name in names)
