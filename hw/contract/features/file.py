"""Features in a ``.npz``: ``header`` (JSON as bytes), ``features``, and ``labels`` where there are any.

It is written block by block, so that no more than one is in memory, and read as every file from outside
(:mod:`hw.util.archives`).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hw.contract.features.content import About, Features
from hw.util import archives, documents
from hw.util.errors import ArtifactError, DataError
from hw.util.files import replacing

SCHEMA = 1
"""Of the file."""

MOST_HEADER = 1 << 16
"""Bytes of the JSON header."""

WHAT = "features"


def save(
    path: Path | str, about: About, blocks: Iterable[NDArray[Any]], labels: NDArray[np.integer] | None = None
) -> None:
    """Write ``path``, whole or not at all. blocks: (n, *about.vector), one after the other, ``about.count``
    images in all. Raises ``ArtifactError`` where the place cannot be written."""
    header = json.dumps({"kind": WHAT, "schema": SCHEMA, **asdict(about)}).encode()
    with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        _write(archive, "header", np.frombuffer(header, np.uint8))
        if labels is not None:
            _write(archive, "labels", labels.astype("<i8"))
        with archive.open("features.npy", "w", force_zip64=True) as stream:
            _begin(stream, (about.count, *about.vector), about.dtype)
            for block in blocks:
                stream.write(np.ascontiguousarray(block, about.dtype).tobytes())


def load(path: Path | str) -> Features:
    """Read a file of features; everything in it is checked.

    Raises ``ArtifactError`` for a missing or damaged file, or one of another kind or schema.
    """
    try:
        with archives.opened(path) as file:
            if "header" not in file.names or "features" not in file.names:
                raise DataError(f"it has no array {WHAT!r} with a header")
            about = _about(file.take("header", most=MOST_HEADER))
            labels = file.take("labels", (about.count,)) if "labels" in file.names else None
            vectors = file.take("features", (about.count, *about.vector))
            if labels is not None and labels.dtype != np.int64:
                raise DataError(f"labels are {labels.dtype}, files hold int64")
            return Features(about, vectors, labels)
    except FileNotFoundError:
        raise ArtifactError(f"there is no file {path}: make it with 'spec2 features'") from None
    except (OSError, DataError, ArtifactError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ArtifactError(
            f"{path} is no file of features, or is damaged ({reason}): make it with 'spec2 features'"
        ) from None


def is_features(path: Path | str) -> bool:
    """Whether ``path`` looks like a file of features, by the names of its arrays."""
    try:
        with archives.opened(path) as file:
            return {"header", "features"} <= {*file.names}
    except (OSError, DataError, ArtifactError):
        return False


def _about(blob: NDArray[Any]) -> About:
    data: dict[str, Any] = documents.decode(blob.tobytes(), dict[str, Any], "the header")
    kind, schema = data.pop("kind", None), data.pop("schema", None)
    if kind != WHAT or schema != SCHEMA:
        raise DataError(
            f"it says kind {documents.shown(kind)}, schema {documents.shown(schema)}, not {WHAT}, {SCHEMA}"
        )
    about: About = documents.convert(data, About, "the header")
    return about


def _write(archive: zipfile.ZipFile, name: str, array: NDArray[Any]) -> None:
    with archive.open(f"{name}.npy", "w") as stream:
        _begin(stream, array.shape, array.dtype)
        stream.write(array.tobytes())


def _begin(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    described = {"descr": npy.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, described)
