"""CIFAR-10: 60,000 pictures of 32 × 32 pixels in colour, ten classes.

Read from a directory that holds either

* ``cifar-10-batches-bin/``, the binary version that its author publishes
  (https://www.cs.toronto.edu/~kriz/cifar.html): files of records of a label byte and 3 × 32 × 32
  bytes, red, green and blue plane after one another; or
* ``cifar10_train.npz`` and ``cifar10_test.npz`` with arrays ``jpeg`` (uint8, all files end to end),
  ``offset`` (int64, n + 1 entries) and ``label`` (n,): image i is ``jpeg[offset[i]:offset[i + 1]]``.

Nothing is ever downloaded.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.util import pictures
from hw.util.errors import DataError
from hw.util.files import regular
from pruning.data.image_set import Images, ImageSet, checked, read_npz

SHAPE = (3, 32, 32)
CLASSES = 10
BINARY = "cifar-10-batches-bin"
TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST_FILES = ("test_batch.bin",)
RECORD = 1 + 3 * 32 * 32
"""Bytes of a label and its picture in the binary version."""


def load(data_dir: Path | str | None = None) -> ImageSet:
    """All pictures in ``data_dir``.

    Raises ``DataError`` without a directory, or when a file is missing or holds something else.
    """
    if data_dir is None:
        raise DataError(
            "CIFAR-10 comes with no package: give a data directory with cifar10_train.npz and "
            f"cifar10_test.npz, or with {BINARY}/ from https://www.cs.toronto.edu/~kriz/cifar.html"
        )
    folder = Path(data_dir)
    if (folder / BINARY).is_dir():
        train, test = (_read_binary(folder / BINARY, files) for files in (TRAIN_FILES, TEST_FILES))
    else:
        train, test = (_read_npz(folder / f"cifar10_{part}.npz") for part in ("train", "test"))
    return ImageSet(*train, *test, name="cifar10")


def _read_binary(folder: Path, names: tuple[str, ...]) -> tuple[Images, Images]:
    images, labels = [], []
    for name in names:
        path = folder / name
        try:
            records = np.fromfile(regular(path), np.uint8)
        except OSError as error:
            raise DataError(f"cannot read {path} ({error.strerror or error})") from None
        if not len(records) or len(records) % RECORD:
            raise DataError(f"{path} has {len(records)} bytes, not a multiple of {RECORD}: download it again")
        records = records.reshape(-1, RECORD)
        images.append(records[:, 1:].reshape(-1, *SHAPE))
        labels.append(records[:, 0])
        checked(path, images[-1], labels[-1], SHAPE, CLASSES)
    return np.concatenate(images), np.concatenate(labels)


def _read_npz(path: Path) -> tuple[Images, Images]:
    jpeg, offset, labels = read_npz(path, "jpeg", "offset", "label", instead=BINARY)
    if not _cuts(offset, jpeg):
        raise DataError(f"{path}: 'offset' does not cut 'jpeg' into pictures: it is damaged, fetch it again")
    images = np.stack([_decode(path, jpeg[a:b]) for a, b in pairwise(offset)])
    checked(path, images, labels, SHAPE, CLASSES)
    return images, labels


def _cuts(offset: NDArray[np.int64], jpeg: Images) -> bool:
    """Whether ``offset`` cuts ``jpeg`` into pieces that are not empty."""
    if offset.ndim != 1 or offset.dtype.kind not in "iu" or len(offset) < 2 or jpeg.dtype != np.uint8:
        return False
    return bool(offset[0] == 0 and offset[-1] == len(jpeg) and (np.diff(offset) > 0).all())


def _decode(path: Path, jpeg: Images) -> Images:
    """One picture, (3, H, W). Raises ``DataError``."""
    try:
        return pictures.read(jpeg.tobytes(), "RGB", (SHAPE[2], SHAPE[1]))
    except DataError as error:
        raise DataError(f"{path} holds a picture that cannot be read ({error})") from None
