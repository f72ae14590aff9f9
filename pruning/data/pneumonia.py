"""PneumoniaMNIST: chest X-rays of children, 28 × 28 pixels, without and with pneumonia (label 1).

Read from a directory with ``pneumonia_train.npz`` and ``pneumonia_test.npz``: arrays ``image`` (n, 28, 28)
and ``label`` (n,), both uint8. Nothing is ever downloaded. Far more of the images show pneumonia than do not,
in training more than in the test: ``balanced`` of a recipe's training makes up for that.

J. Yang et al., "MedMNIST Classification Decathlon", ISBI 2021; images after D. Kermany et al., Cell 172(5),
2018 (CC BY 4.0).
"""

from __future__ import annotations

from pathlib import Path

from hw.util.errors import DataError
from pruning.data.image_set import Images, ImageSet, checked, read_npz

SIDE = 28
CLASSES = 2


def load(data_dir: Path | str | None = None) -> ImageSet:
    """All X-rays in ``data_dir``.

    Raises ``DataError`` without a directory, or when a file is missing or holds something else.
    """
    if data_dir is None:
        raise DataError(
            "the chest X-rays come with no package: give a data directory with pneumonia_train.npz and "
            "pneumonia_test.npz, each with 'image' and 'label' (PneumoniaMNIST of https://medmnist.com)"
        )
    train, test = (_read(Path(data_dir) / f"pneumonia_{part}.npz") for part in ("train", "test"))
    return ImageSet(*train, *test, name="pneumonia")


def _read(path: Path) -> tuple[Images, Images]:
    images, labels = read_npz(path, "image", "label")
    checked(path, images, labels, (SIDE, SIDE), CLASSES)
    return images[:, None], labels
