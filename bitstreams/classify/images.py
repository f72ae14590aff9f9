"""Images for a board, from the files people have: arrays of numpy, or pictures.

``.npz``: the array ``image`` (or the only one in the file), and ``label`` if it is there. ``.npy``: one
array. Arrays are uint8, the pixels as they are, of channels, rows and columns or of rows, columns and
channels. Anything else is read with Pillow as a picture of the network's size; a folder stands for all files
in it, by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Shape
from hw.host_interface.stream_format import check_images
from hw.util import archives, pictures
from hw.util.documents import shown
from hw.util.errors import DataError

MODES = {1: "L", 3: "RGB"}
"""Pillow's name of a picture with so many channels."""


@dataclass(frozen=True)
class Batch:
    """images (n, c, h, w) uint8; names: where each one comes from; labels (n,) or None if any is unknown."""

    images: NDArray[np.uint8]
    names: tuple[str, ...]
    labels: NDArray[np.int64] | None

    def first(self, count: int | None) -> Batch:
        """The first ``count`` images, all for None. Raises ``DataError`` when there are not so many."""
        if count is None:
            return self
        if count > len(self.images):
            raise DataError(f"there are {len(self.images)} images, not {count}: lower the number")
        labels = None if self.labels is None else self.labels[:count]
        return Batch(self.images[:count], self.names[:count], labels)


def read(paths: Sequence[Path], shape: Shape) -> Batch:
    """All images of ``paths`` for a network with input ``shape`` (c, h, w).

    Raises ``DataError`` for a file that is missing, cannot be read, or holds images of another size.
    """
    found = list(batches(paths, shape))
    if not found:
        raise DataError("there are no images: name files, or a folder with some")
    labels = [part.labels for part in found if part.labels is not None]
    return Batch(
        np.concatenate([part.images for part in found]),
        tuple(name for part in found for name in part.names),
        np.concatenate(labels) if len(labels) == len(found) else None,
    )


def batches(paths: Sequence[Path], shape: Shape) -> Iterator[Batch]:
    """The images of :func:`read`, file by file."""
    for path in paths:
        for file in _files(path):
            yield _read(file, shape)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    return [path]


def _read(path: Path, shape: Shape) -> Batch:
    labels = None
    try:
        if path.suffix == ".npz":
            images, labels = _read_npz(path)
        elif path.suffix == ".npy":
            images = archives.read_npy(path)
        else:
            images = _read_picture(path, shape)[None]
    except FileNotFoundError:
        raise DataError(f"there is no file {path}: name an image, or a .npz or .npy of images") from None
    except (OSError, DataError) as error:
        raise DataError(f"cannot read {path} ({error}): it is no picture and no array of images") from None
    if images.ndim == 4 and images.shape[1:] == (*shape[1:], shape[0]) != shape:
        images = images.transpose(0, 3, 1, 2)
    try:
        images = check_images(images, shape)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    if labels is not None and labels.shape != (len(images),):
        raise DataError(f"{path}: {labels.shape} labels for {len(images)} images: there must be one each")
    return Batch(images, _names(path.name, len(images)), labels)


def batch(name: str, images: NDArray[np.uint8], labels: NDArray[np.integer] | None, shape: Shape) -> Batch:
    """Images (n, c, h, w) or (n, h, w) from memory. Raises ``DataError`` if they do not fit."""
    images = check_images(images, shape)
    return Batch(images, _names(name, len(images)), None if labels is None else labels.astype(np.int64))


def _names(name: str, count: int) -> tuple[str, ...]:
    return (name,) if count == 1 else tuple(f"{name}[{i}]" for i in range(count))


def _read_npz(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64] | None]:
    with archives.opened(path) as file:
        if "image" not in file.names and len(file.names) != 1:
            raise DataError(f"has the arrays {', '.join(map(shown, file.names))}, and none is called 'image'")
        images = file.take("image" if "image" in file.names else file.names[0])
        labels = file.take("label") if "label" in file.names else None
    if labels is None:
        return images, None
    if labels.dtype.kind not in "iu":
        raise DataError(f"labels are {labels.dtype}, not integers")
    return images, labels.astype(np.int64)


def _read_picture(path: Path, shape: Shape) -> NDArray[np.uint8]:
    """(c, h, w): a picture in the network's channels, at its own size."""
    channels, *size = shape
    if channels not in MODES:
        raise DataError(f"a network of {channels} input channels takes arrays (.npy, .npz), not pictures")
    try:
        return pictures.read(path, MODES[channels], (size[1], size[0]))
    except pictures.OtherSize as error:
        w, h = error.size
        wanted = "×".join(map(str, shape))
        raise DataError(f"images must be n×{wanted}, not {h}×{w} pixels: crop or scale them") from None
