"""How good a search is: by the classes of what it finds, and by the exact neighbours that it finds again."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pruning.transfer.search.hamming import QUERIES, distances, words


def average_precision(relevant: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(q,): of rankings (q, n), the mean over all relevant positions of the share that is relevant up to
    there; 0 where nothing is."""
    so_far = np.cumsum(relevant, axis=1)
    precision = so_far / np.arange(1, relevant.shape[1] + 1)
    total: NDArray[np.float64] = (precision * relevant).sum(axis=1) / np.maximum(so_far[:, -1], 1)
    return total


def mean_average_precision(
    database: NDArray[Any], labels: NDArray[np.integer], queries: NDArray[Any], asked: NDArray[np.integer]
) -> float:
    """Over the whole ranking of ``database`` for every query, relevant is what has the query's label.

    database, queries: codes or vectors, as :func:`pruning.transfer.search.hamming.nearest` takes them. Equal
    distances are ranked by position, so the order of the database must not follow its labels.
    """
    bits = database.dtype == np.uint8
    known, given = (words(database), words(queries)) if bits else (database, queries)
    found = []
    for start in range(0, len(given), QUERIES):
        some = given[start : start + QUERIES]
        away = distances(known, some) if bits else -(some @ known.T)
        ranking = np.argsort(away, axis=1, kind="stable")
        found.append(average_precision(labels[ranking] == asked[start : start + QUERIES, None]))
    return float(np.concatenate(found).mean())


def recall(found: NDArray[np.integer], exact: NDArray[np.integer]) -> float:
    """The mean share of ``exact`` neighbours (q, k) among those that were ``found`` (q, k)."""
    pairs = zip(found, exact, strict=True)
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in pairs]))
