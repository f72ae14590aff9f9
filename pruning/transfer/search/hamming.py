"""The nearest codes: whole words at a time, XOR and population count; and the nearest vectors by cosine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import DataError

QUERIES = 16
"""Compared at a time: the distances of so many to 50,000 codes take 2 MB."""


def words(codes: NDArray[np.uint8]) -> NDArray[Any]:
    """Codes (n, bytes) as words (n, words), the widest that divide them: 8, 4, 2 or 1 bytes."""
    size = next(size for size in (8, 4, 2, 1) if codes.shape[1] % size == 0)
    return np.ascontiguousarray(codes).view(f"<u{size}")


def distances(database: NDArray[Any], queries: NDArray[Any]) -> NDArray[np.uint16]:
    """Bits in which codes differ, (queries, n); both as :func:`words`."""
    found = np.zeros((len(queries), len(database)), np.uint16)
    for column in range(database.shape[1]):
        found += np.bitwise_count(queries[:, column, None] ^ database[None, :, column])
    return found


def nearest(
    database: NDArray[Any], queries: NDArray[Any], count: int
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Positions and distances of the ``count`` nearest of ``database``, (queries, count) each.

    Both are codes (n, bytes) of uint8, or both float32 vectors (n, d) of length 1, whose distance is 1 less
    their cosine. Of equal distances the earlier position comes first. Raises ``DataError`` where there are
    not so many.
    """
    if not 1 <= count <= len(database):
        raise DataError(f"there are {len(database)} images in the index, not {count}: ask for fewer")
    if database.dtype != queries.dtype or database.shape[1:] != queries.shape[1:]:
        raise DataError(
            f"codes of {queries.dtype} {queries.shape} and {database.dtype} {database.shape} are of two kinds"
        )
    bits = database.dtype == np.uint8
    known, asked = (words(database), words(queries)) if bits else (database, queries)
    positions, far = [], []
    for start in range(0, len(asked), QUERIES):
        some = asked[start : start + QUERIES]
        away = distances(known, some) if bits else 1 - some @ known.T
        chosen = np.stack([_smallest(row, count) for row in away])
        positions.append(chosen)
        far.append(np.take_along_axis(away, chosen, axis=1))
    return np.concatenate(positions), np.concatenate(far)


def _smallest(row: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Positions of the smallest numbers, in order; of equal ones the first."""
    limit = np.partition(row, count - 1)[count - 1]
    (close,) = np.nonzero(row <= limit)
    return close[np.argsort(row[close], kind="stable")][:count]
