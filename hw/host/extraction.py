"""Features of many images, block by block: a block's maps are in memory, and what was computed is kept.

While it works, every block's features lie in ``OUT.partial`` under a name that is the SHA-256 of the model's
digest, the layer, the form, the source and the block's own pixels. A run that was interrupted finds them
there, by these names, and no other run can take them for its own. They go when ``OUT`` is complete.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.features.content import About, Features, LayerFeatures
from hw.contract.features.file import save
from hw.util import archives
from hw.util.errors import ArtifactError, DataError
from hw.util.files import alone

Images = NDArray[np.uint8]
Part = tuple[Images, "NDArray[np.integer] | None"]
"""Images (n, c, h, w), and their labels (n,) where there are some."""

Progress = Callable[[int], None]
"""Called with the number of images that are done."""

Source = Callable[[Images, Progress], NDArray[Any]]
"""What the layer makes of images (n, c, h, w): maps (n, c, h, w), or class scores (n, classes)."""

NO_IMAGES = "there are no images: name files, or a folder with some"

BLOCK = 256
"""Images of a block; as many are lost by an interruption at most."""


def extract(
    source: Source,
    parts: Iterable[Part],
    kind: LayerFeatures,
    out: Path | str,
    *,
    model: str,
    name: str,
    command: str | None = None,
    block: int = BLOCK,
    progress: Progress | None = None,
) -> About:
    """Write the features of all images of ``parts`` to ``out``.

    kind: of the features (:func:`hw.contract.features.features_of`). model: its digest. name: of the source,
    and command: that asks for it, are for those who read the file. Labels are kept if every part has some.
    Raises ``DataError`` where there are no images, ``ArtifactError`` where ``out`` cannot be written or
    another process writes it, and what ``source`` raises; what was done until then is kept.
    """
    out = Path(out)
    folder, names, labels, every = out.with_name(f"{out.name}.partial"), [], [], True
    pixels, count = hashlib.sha256(), 0
    key = json.dumps([asdict(kind), model, name]).encode()
    with alone(folder, "these features"):
        for images, some in blocks(parts, block):
            content = np.ascontiguousarray(images).data
            pixels.update(content)
            digest = hashlib.sha256(key)
            digest.update(content)
            names.append(f"{digest.hexdigest()}.npz")
            if not _kept(folder / names[-1], kind, len(images)):
                _keep(folder / names[-1], kind.of(source(images, _from(count, progress))))
            count, every = count + len(images), every and some is not None
            labels += [some] if some is not None else []
            if progress:
                progress(count)
        if not count:
            raise DataError(NO_IMAGES)
        about = About(
            **asdict(kind), model=model, images=pixels.hexdigest(), count=count, source=name, command=command
        )
        save(out, about, _stored(folder, names), np.concatenate(labels) if every else None)
        shutil.rmtree(folder)
    return about


def at_once(
    source: Source,
    parts: Iterable[Part],
    kind: LayerFeatures,
    *,
    model: str,
    name: str,
    block: int = BLOCK,
    progress: Progress | None = None,
) -> Features:
    """The features of a few images in memory. Otherwise like :func:`extract`."""
    vectors: list[NDArray[Any]] = []
    labels, every, pixels, count = [], True, hashlib.sha256(), 0
    for images, some in blocks(parts, block):
        pixels.update(np.ascontiguousarray(images).data)
        vectors.append(kind.of(source(images, _from(count, progress))))
        count, every = count + len(images), every and some is not None
        labels += [some.astype(np.int64)] if some is not None else []
        if progress:
            progress(count)
    if not vectors:
        raise DataError(NO_IMAGES)
    found = np.concatenate(vectors)
    about = About(**asdict(kind), model=model, images=pixels.hexdigest(), count=count, source=name)
    return Features(about, found, np.concatenate(labels) if every else None)


def blocks(parts: Iterable[Part], size: int = BLOCK) -> Iterator[Part]:
    """The same images and labels, ``size`` at a time; labels only where all images of the block have one."""
    waiting: list[Part] = []
    for part in parts:
        waiting.append(part)
        while sum(len(images) for images, _ in waiting) >= size:
            images, labels = _joined(waiting)
            yield images[:size], None if labels is None else labels[:size]
            left = images[size:], None if labels is None else labels[size:]
            waiting = [left] if len(left[0]) else []
    if waiting:
        yield _joined(waiting)


def _from(count: int, progress: Progress | None) -> Progress:
    """The progress of a block that begins after ``count`` images."""
    return lambda done: progress(count + done) if progress else None


def _joined(parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    labels = [labels for _, labels in parts if labels is not None]
    joined = np.concatenate(labels) if len(labels) == len(parts) else None
    return np.concatenate([images for images, _ in parts]), joined


# --- parts that are kept --------------------------------------------------------------------------------


def _keep(path: Path, vectors: NDArray[Any]) -> None:
    archives.save(path, features=vectors)


def _kept(path: Path, kind: LayerFeatures, count: int) -> bool:
    """Whether the features of a block of ``count`` images are there, and sound."""
    try:
        with archives.opened(path) as file:
            return file.take("features", (count, *kind.vector)).dtype == kind.dtype
    except (OSError, KeyError, DataError, ArtifactError):
        return False


def _stored(folder: Path, names: list[str]) -> Iterator[NDArray[Any]]:
    for name in names:
        with archives.opened(folder / name) as file:
            yield file.take("features")
