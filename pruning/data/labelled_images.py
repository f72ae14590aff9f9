"""Images and labels of somebody's own, brought to what the hardware takes: bytes, channels first.

======== =============================== ==========================================================
array    shape                           numbers
======== =============================== ==========================================================
images   (n, c, h, w), (n, h, w, c), or  integers 0 to 255; or floats, 0 to 1, or 0 to 255 where any
         (n, h, w) of one channel        is above 1: pixels as a camera gives them, nothing subtracted
labels   (n,), may be left out           integers, the number of the right class score
======== =============================== ==========================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Network, Shape
from hw.util.errors import DataError
from pruning.data.image_set import Images

LEAST = 16
"""Images of which calibration, or an accuracy, says anything."""


@dataclass(frozen=True)
class LabelledImages:
    """``images`` of any real numbers, and ``labels`` or None, as somebody has them. ``source`` is what
    sentences about them begin with. Raises ``DataError`` for what can be no images."""

    source: str
    images: NDArray[Any]
    labels: NDArray[Any] | None

    def __post_init__(self) -> None:
        images = self.images
        if images.ndim not in (3, 4) or not images.size:
            raise DataError(f"{self.source}: images of shape {images.shape} are none: give (n, c, h, w)")
        if images.dtype.kind not in "iuf":
            raise DataError(
                f"{self.source}: images are {images.dtype}: give integers of 0 to 255, or floats of 0 to 1"
            )

    def images_for(self, shape: Shape, least: int = LEAST) -> Images:
        """The images as the hardware takes them, uint8 (n, C, H, W), for an input of ``shape``.

        Raises ``DataError`` for images of another size, fewer than ``least``, and numbers that are no
        pixels.
        """
        images = self._laid_out(shape)
        if len(images) < least:
            raise DataError(
                f"{self.source}: there are {len(images)} images, and at least {least} are needed: give some "
                "hundred that are like those to come"
            )
        return self._pixels(images)

    def labels_for(self, network: Network) -> NDArray[np.int64] | None:
        """The labels, (n,), or None where there are none or the network gives no class scores.

        Raises ``DataError`` for labels that are not one class per image.
        """
        if self.labels is None or network.classes is None:
            return None
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype.kind not in "iu":
            raise DataError(
                f"{self.source}: labels are {self.labels.dtype} {self.labels.shape}, not integers of shape "
                f"({len(self.images)},): give one class per image"
            )
        low, high = int(self.labels.min()), int(self.labels.max())
        if low < 0 or high >= network.classes:
            raise DataError(
                f"{self.source}: labels reach from {low} to {high}, and network {network.name!r} has classes "
                f"0 to {network.classes - 1}: give the numbers of its scores, the first of which is 0"
            )
        return self.labels.astype(np.int64)

    def _laid_out(self, shape: Shape) -> NDArray[Any]:
        """(n, C, H, W), from any of the layouts that are taken; (n, C, H, W) where several fit."""
        c, h, w = shape
        if self.images.shape[1:] == shape:
            return self.images
        if self.images.shape[1:] == (h, w, c):
            return self.images.transpose(0, 3, 1, 2)
        if c == 1 and self.images.shape[1:] == (h, w):
            return self.images[:, None]
        raise DataError(
            f"{self.source}: images of shape {self.images.shape} do not fit a network whose input is "
            f"{c}×{h}×{w}: give (n, {c}, {h}, {w})"
        )

    def _pixels(self, images: NDArray[Any]) -> Images:
        """uint8, from integers of 0 to 255 or floats."""
        low, high = images.min(), images.max()
        if not (math.isfinite(low) and math.isfinite(high)):
            raise DataError(f"{self.source}: images hold NaN or infinity: give pixels of 0 to 255, or 0 to 1")
        if low < 0 or high > 255:
            raise DataError(
                f"{self.source}: images reach from {low:.6g} to {high:.6g}, and pixels are 0 to 255, or 0 to "
                "1: give them as a camera does, with no mean subtracted; what the network subtracts and "
                "divides by is said with mean and std"
            )
        if images.dtype.kind != "f":
            return np.ascontiguousarray(images, np.uint8)
        found = np.empty(images.shape, np.uint8)
        for source, pixels in zip(
            images, found, strict=True
        ):  # doubles of all would take eight times as much
            pixels[:] = np.floor(source.astype(np.float64) * (255 if high <= 1 else 1) + 0.5)
        return found
