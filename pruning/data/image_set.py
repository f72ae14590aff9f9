"""What a data set of labelled images is, and the checks that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Shape
from hw.util import archives
from hw.util.errors import DataError

Images = NDArray[np.uint8]


@dataclass(frozen=True)
class ImageSet:
    """Images (n, C, H, W) and labels (n,) in 0..9, all uint8; ``name`` says which set it is."""

    train_images: Images
    train_labels: Images
    test_images: Images
    test_labels: Images
    name: str

    @property
    def shape(self) -> Shape:
        """(C, H, W) of every image."""
        _, c, h, w = self.train_images.shape
        return c, h, w

    def check_shape(self, name: str, shape: Shape) -> None:
        """Raise ``DataError`` unless a network of ``shape`` takes these images, of the set ``name``."""
        if self.shape != tuple(shape):
            wanted, has = ("×".join(map(str, size)) for size in (shape, self.shape))
            raise DataError(
                f"the network takes images of {wanted}, and those of {name} are {has}: take others"
            )


def read_npz(path: Path, *names: str, instead: str = "") -> tuple[NDArray[Any], ...]:
    """The arrays ``names`` of a file. ``instead``: what else would have done, where there is no such file.

    Raises ``DataError`` when file or array is missing, or cannot be read.
    """
    try:
        with archives.opened(path) as file:
            if missing := [name for name in names if name not in file.names]:
                *some, last = (repr(name) for name in names)
                needed = f"it needs {', '.join(some)} and {last}"
                raise DataError(f"there is no array {missing[0]!r}: {needed}")
            return tuple(file.take(name) for name in names)
    except FileNotFoundError:
        missing_file = f"no {path.name} (and no {instead})" if instead else f"no {path.name}"
        raise DataError(f"there is {missing_file} in {path.parent}: give another data directory") from None
    except (OSError, DataError) as error:
        raise DataError(f"cannot read {path} ({error})") from None


def checked(path: Path, images: Images, labels: Images, size: tuple[int, ...], classes: int) -> None:
    """Raises ``DataError`` unless both are what a set of images of ``size`` should hold."""
    if images.shape[1:] != size or images.dtype != np.uint8 or not len(images):
        wanted = ", ".join(("n", *map(str, size)))
        raise DataError(f"{path}: images are {images.dtype} {images.shape}, not uint8 ({wanted})")
    if labels.shape != images.shape[:1] or labels.dtype != np.uint8:
        raise DataError(
            f"{path}: labels are {labels.dtype} {labels.shape}, not uint8 ({len(images)},): one per image"
        )
    if labels.max() >= classes:
        raise DataError(f"{path}: a label is {labels.max()}, classes are 0 to {classes - 1}")
