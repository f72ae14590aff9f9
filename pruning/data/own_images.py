"""Labelled images of one's own, to train and measure on: a ``.npz``, or arrays.

=========================== ==========================================================================
array                       what it is
=========================== ==========================================================================
images, labels              (n, c, h, w) or (n, h, w, c), pixels of 0 to 255 or of 0 to 1; (n,), the
                            numbers of classes (:mod:`pruning.data.labelled_images`)
test_images, test_labels    the same, of the images that accuracy is measured on; may be left out
=========================== ==========================================================================

``train_images`` and ``train_labels`` are other names of the first two. Without test images every fifth image
is held out, the first one included, so that both parts are the same everywhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Network
from hw.util import archives
from hw.util.documents import shown
from hw.util.errors import DataError
from pruning.data.image_set import Images, ImageSet
from pruning.data.labelled_images import LEAST, LabelledImages

SUFFIX = ".npz"
"""What tells a file from the name of a set."""

HELD_OUT = 5
"""Of so many images one is held out where there are no test images."""

MOST_CLASSES = 256
"""Labels are bytes."""

NAMES = {
    "images": ("images", "train_images", "image"),
    "labels": ("labels", "train_labels", "label"),
    "test_images": ("test_images",),
    "test_labels": ("test_labels",),
}
"""Names of the arrays, in the order in which they are looked for."""

REMEDY = "make it with numpy.savez(path, images=images, labels=labels)"


def is_file(name: str) -> bool:
    """Whether it names a file, not a set."""
    return Path(name).suffix.lower() == SUFFIX


def load(path: Path | str, network: Network) -> ImageSet:
    """The images of a file, for ``network``. Raises ``DataError`` where it cannot be read, or its arrays are
    not what they are called."""
    return of_arrays(network, **_read(path), source=str(path))


def sizes(path: Path | str) -> tuple[int, ...]:
    """The shape of the array ``images`` in a file. Raises as :func:`load`."""
    return _read(path)["images"].shape


def of_arrays(
    network: Network,
    images: NDArray[Any],
    labels: NDArray[Any],
    test_images: NDArray[Any] | None = None,
    test_labels: NDArray[Any] | None = None,
    *,
    source: str = "the images",
) -> ImageSet:
    """The set of these arrays, for ``network``; ``source`` is what sentences about them begin with.

    Raises ``DataError`` for images of another size, numbers that are no pixels, and labels that are not one
    class of the network's per image.
    """
    if (test_images is None) != (test_labels is None):
        lonely = "test_images" if test_labels is None else "test_labels"
        raise DataError(f"{source}: {lonely} stands alone: give test_images and test_labels, or neither")
    train = _part(network, images, labels, source, LEAST)
    if test_images is None or test_labels is None:
        held = np.arange(len(train[1])) % HELD_OUT == 0
        train, test = (train[0][~held], train[1][~held]), (train[0][held], train[1][held])
    else:
        test = _part(network, test_images, test_labels, f"{source} (test_images)", 1)
    return ImageSet(*train, *test, name=f"{Path(source).name} {_digest(*train, *test)}")


def save(images: ImageSet, path: Path | str) -> None:
    """Write the set into a file that :func:`load` reads. Raises ``ArtifactError`` where that cannot be."""
    archives.save(
        path,
        images=images.train_images,
        labels=images.train_labels,
        test_images=images.test_images,
        test_labels=images.test_labels,
    )


def _read(path: Path | str) -> dict[str, NDArray[Any]]:
    """The arrays, by the first of their names."""
    try:
        with archives.opened(path) as file:
            names = {what: next((n for n in names if n in file.names), None) for what, names in NAMES.items()}
            if missing := [what for what in ("images", "labels") if names[what] is None]:
                has = ", ".join(map(shown, file.names)) or "nothing"
                raise DataError(f"it holds {has}, and no array {missing[0]!r}")
            return {what: file.take(name) for what, name in names.items() if name}
    except FileNotFoundError:
        raise DataError(f"there is no file {path}: {REMEDY}") from None
    except (OSError, DataError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise DataError(f"cannot read {path} ({reason}): {REMEDY}") from None


def _part(
    network: Network, images: NDArray[Any], labels: NDArray[Any], source: str, least: int
) -> tuple[Images, NDArray[np.uint8]]:
    if (network.classes or 0) > MOST_CLASSES:
        raise DataError(f"{source}: training takes at most {MOST_CLASSES} classes, not {network.classes}")
    given = LabelledImages(source, images, labels)
    classes = given.labels_for(network)
    if classes is None:
        raise DataError(
            f"{source}: network {network.name!r} gives no class scores to train on: end it with a fully "
            "connected layer"
        )
    return given.images_for(network.input, least), classes.astype(np.uint8)


def _digest(*arrays: NDArray[Any]) -> str:
    """What tells two sets of one name from one another, in checkpoints."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(np.ascontiguousarray(array).tobytes())
    return found.hexdigest()[:12]
