"""Labelled images to train and measure on, as plain numpy arrays (no torch)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from hw.contract.network import Shape
from hw.util.errors import ConfigError
from pruning.data import cifar10, mnist
from pruning.data.image_set import ImageSet

__all__ = ["LOADERS", "ImageSet", "load", "name_for"]

LOADERS: dict[str, Callable[[Path | str | None], ImageSet]] = {"mnist": mnist.load, "cifar10": cifar10.load}
"""By name: from a data directory (or None) to the set."""

SHAPES: dict[Shape, str] = {(1, mnist.SIDE, mnist.SIDE): "mnist", cifar10.SHAPE: "cifar10"}


def load(name: str, data_dir: Path | str | None = None) -> ImageSet:
    """The set of that name from ``data_dir``; without one, what a package ships.

    Raises ``ConfigError`` for an unknown name, ``DataError`` when a file (or package) is missing or holds
    something else.
    """
    if name not in LOADERS:
        raise ConfigError(f"there is no data set {name!r}: choose from {', '.join(LOADERS)}")
    return LOADERS[name](data_dir)


def name_for(shape: Shape) -> str | None:
    """The set whose images have that shape (C, H, W), or None."""
    return SHAPES.get(tuple(shape))
