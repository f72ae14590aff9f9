"""Labelled images to train and measure on, as plain numpy arrays (no torch)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hw.contract.network import Network, Shape
from hw.util.errors import ConfigError
from pruning.data import cifar10, mnist, own_images, pneumonia
from pruning.data.image_set import ImageSet

__all__ = ["LOADERS", "PACKAGED", "ImageSet", "load", "load_for", "name_for"]

LOADERS: dict[str, Callable[[Path | str | None], ImageSet]] = {
    "mnist": mnist.load,
    "cifar10": cifar10.load,
    "pneumonia": pneumonia.load,
}
"""By name: from a data directory (or None) to the set."""

PACKAGED = ("mnist",)
"""Sets of which some images come with a package."""

CONTENTS: dict[str, tuple[Shape, int]] = {
    "mnist": ((1, mnist.SIDE, mnist.SIDE), mnist.CLASSES),
    "cifar10": (cifar10.SHAPE, cifar10.CLASSES),
    "pneumonia": ((1, pneumonia.SIDE, pneumonia.SIDE), pneumonia.CLASSES),
}
"""By name: shape (C, H, W) of the images, and how many classes there are."""


def load(name: str, data_dir: Path | str | None = None) -> ImageSet:
    """The set of that name from ``data_dir``; without one, what a package ships.

    Raises ``ConfigError`` for an unknown name, ``DataError`` when a file (or package) is missing or holds
    something else.
    """
    if name not in LOADERS:
        raise ConfigError(f"there is no data set {name!r}: choose from {', '.join(LOADERS)}")
    return LOADERS[name](data_dir)


def load_for(network: Network, name: str, data_dir: Path | str | None = None) -> ImageSet:
    """The set of that name, or in the file of that name (:mod:`pruning.data.own_images`), for ``network``.

    Raises as :func:`load`, and ``DataError`` for a file that holds nothing to train the network on.
    """
    return own_images.load(name, network) if own_images.is_file(name) else load(name, data_dir)


def name_for(shape: Shape, classes: int | None = None) -> str | None:
    """The set whose images have that shape (C, H, W), or None; of several the first, unless another one has
    exactly so many ``classes``."""
    fitting = [name for name, (size, _) in CONTENTS.items() if size == tuple(shape)]
    return next((name for name in fitting if CONTENTS[name][1] == classes), fitting[0] if fitting else None)
