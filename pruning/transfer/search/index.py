"""An index: the codes of many images, what they were made by, and of what features.

A ``.npz``: ``header`` (JSON as bytes), ``codes``, ``mean``, ``projection``, and ``labels`` where there are
any. Whoever asks it has features of the same layer of the same model.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.features import About, Features
from hw.contract.features.content import check_same
from hw.util import archives, documents
from hw.util.errors import ArtifactError, DataError
from pruning.transfer.search.coder import BYTE, Coder, Method
from pruning.transfer.search.hamming import nearest
from pruning.transfer.search.learning import Errors, learn

KIND, SCHEMA = "index", 1
"""Of the file."""

TOLERANCE = 1e-3
"""By which the square of a vector's length may differ from 1."""

MOST_HEADER = 1 << 16
"""Bytes of the JSON header."""


class _Header(msgspec.Struct, forbid_unknown_fields=True):
    kind: str
    schema: int
    method: Method
    bits: int
    about: dict[str, Any]


@dataclass(frozen=True)
class Index:
    """about: of the features. codes: (n, bits / 8) uint8, or (n, d) float32. labels: (n,) or None."""

    about: About
    coder: Coder
    codes: NDArray[Any]
    labels: NDArray[np.int64] | None

    def __post_init__(self) -> None:
        numbers = int(np.prod(self.about.vector, dtype=np.int64))
        width, dtype = (numbers, np.float32) if self.coder.exact else (self.coder.bits // BYTE, np.uint8)
        if self.codes.shape != (self.about.count, width) or self.codes.dtype != dtype:
            raise DataError(
                f"codes are {self.codes.dtype} {self.codes.shape}, not ({self.about.count}, {width})"
            )
        if len(self.coder.mean) != numbers:
            raise DataError(f"the coder takes {len(self.coder.mean)} numbers, features have {numbers}")
        if self.coder.exact and not _of_length_1(self.codes):
            raise DataError("a vector has another length than 1")
        if self.labels is not None and self.labels.shape != (self.about.count,):
            raise DataError(f"{self.labels.shape} labels for {self.about.count} images: there is one each")

    @property
    def bytes_per_image(self) -> int:
        """Of its code."""
        return int(self.codes.shape[1] * self.codes.itemsize)

    def nearest(self, features: Features, count: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Positions and distances, (queries, count) each (:func:`pruning.transfer.search.hamming.nearest`).

        Raises ``DigestMismatch`` for features of another model, ``ConfigError`` of another layer or form.
        """
        check_same(features.about, self.about)
        return nearest(self.codes, self.coder.codes(features.real), count)

    def save(self, path: Path | str) -> None:
        """Write ``path``, whole or not at all. Raises ``ArtifactError`` where it cannot be written."""
        header = {"kind": KIND, "schema": SCHEMA, "method": self.coder.method, "bits": self.coder.bits}
        blob = np.frombuffer(json.dumps({**header, "about": asdict(self.about)}).encode(), np.uint8)
        arrays = {"codes": self.codes, "mean": self.coder.mean, "projection": self.coder.projection}
        labels = {} if self.labels is None else {"labels": self.labels.astype("<i8")}
        archives.save(path, header=blob, **arrays, **labels)


def _of_length_1(vectors: NDArray[np.float32]) -> bool:
    """But for those of zeros."""
    with np.errstate(over="ignore"):
        squares = np.einsum("nd,nd->n", vectors, vectors)
    return bool(((np.abs(squares - 1) < TOLERANCE) | (squares == 0)).all())


def make(
    features: Features,
    method: Method,
    bits: int = 0,
    *,
    seed: int = 0,
    removed: int | None = None,
    errors: Errors | None = None,
) -> Index:
    """An index of these features; see :func:`pruning.transfer.search.learning.learn`."""
    vectors = features.real
    coder = learn(vectors, method, bits, seed=seed, removed=removed, errors=errors)
    return Index(features.about, coder, coder.codes(vectors), features.labels)


def load(path: Path | str) -> Index:
    """Read an index; everything in it is checked.

    Raises ``ArtifactError`` for a missing or damaged file, or one of another kind or schema.
    """
    try:
        with archives.opened(path) as file:
            if missing := {"header", "codes", "mean", "projection"} - {*file.names}:
                raise DataError(f"it has no array {min(missing)!r}")
            about, method = _read_header(file.take("header", most=MOST_HEADER))
            arrays = {name: file.take(name) for name in ("codes", "mean", "projection")}
            labels = file.take("labels", (about.count,)) if "labels" in file.names else None
            if labels is not None and labels.dtype != np.int64:
                raise DataError(f"labels are {labels.dtype}, files hold int64")
            coder = Coder(method, arrays["mean"], arrays["projection"])
            return Index(about, coder, arrays["codes"], labels)
    except FileNotFoundError:
        raise ArtifactError(f"there is no index {path}: make one with 'spec2 index'") from None
    except (OSError, DataError, ArtifactError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or error
        raise ArtifactError(
            f"{path} is no index, or is damaged ({reason}): make it with 'spec2 index'"
        ) from None


def _read_header(blob: NDArray[Any]) -> tuple[About, Method]:
    header: _Header = documents.decode(blob.tobytes(), _Header, "the header")
    if (header.kind, header.schema) != (KIND, SCHEMA):
        raise DataError(f"it says kind {documents.shown(header.kind)}, schema {header.schema}")
    about: About = documents.convert(header.about, About, "the header")
    return about, header.method
