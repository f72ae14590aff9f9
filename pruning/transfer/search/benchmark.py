"""How good codes are: what classes and exact neighbours they find, bytes and time, beside exact vectors.

``python -m pruning.transfer.search.benchmark DATABASE QUERIES [--bits 32 64 128 256] [--seeds 5]``: both are
files of 'spec2 features' with labels. Every seed draws the queries that are asked, the images that codes are
learned from, and the rotation that learning begins with. *mAP*: over the whole ranking, relevant is
the class. *recall@10*: of the ten nearest by cosine, how many are among the ten nearest codes. Times are of
one thread, of the whole search for one query among others, and of this machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.features import Features, load
from hw.contract.features.content import check_same
from hw.util.errors import DataError
from hw.util.files import write_json
from pruning.transfer.search.coder import Method, unit
from pruning.transfer.search.hamming import nearest
from pruning.transfer.search.learning import learn
from pruning.transfer.search.measures import mean_average_precision, recall

NEIGHBOURS = 10
"""Of which recall is measured."""

METHODS: tuple[Method, ...] = ("sign", "itq", "iiq")
TIMED = 64
"""Queries whose search is timed, and the median of so many rounds taken: ROUNDS."""
ROUNDS = 5

Progress = Callable[[str], object]


def measure(
    database: Features,
    queries: Features,
    bits: Sequence[int],
    seeds: int,
    *,
    asked: int = 1000,
    learned: int = 10_000,
    removed: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """The rows of :func:`measure_vectors` for files of features, which need labels (``DataError``)."""
    if database.labels is None or queries.labels is None:
        raise DataError("precision is that of classes: give features with labels")
    check_same(queries.about, database.about)
    labels = database.labels, queries.labels
    options: dict[str, Any] = {"asked": asked, "learned": learned, "removed": removed, "progress": progress}
    return measure_vectors(database.real, queries.real, bits, seeds, labels=labels, **options)


def measure_vectors(
    known: NDArray[np.floating],
    given: NDArray[np.floating],
    bits: Sequence[int],
    seeds: int,
    *,
    labels: tuple[NDArray[np.integer], NDArray[np.integer]] | None = None,
    asked: int = 1000,
    learned: int = 10_000,
    removed: int | None = None,
    progress: Progress | None = None,
) -> list[dict[str, Any]]:
    """Rows of ``method``, ``bits``, ``bytes``, and by seed ``recall`` (percent), ``us``, microseconds per
    query, and ``map`` (percent) where there are labels.

    known (n, d): what is searched; given (m, d): queries; labels of both, (n,) and (m,). asked, learned:
    queries and vectors of ``known`` that a seed draws, all where there are fewer. removed: directions that
    IIQ removes.
    """
    exact, rows = unit(known), [_row("float", 0, 4 * known.shape[1])]
    rows += [_row(method, n, n // 8) for n in bits for method in METHODS]
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        chosen = rng.permutation(len(given))[:asked]
        sample = known[rng.permutation(len(known))[:learned]]
        questions = given[chosen]
        truth, _ = nearest(exact, unit(questions), NEIGHBOURS)
        for row in rows:
            method, options = row["method"], {"removed": removed} if row["method"] == "iiq" else {}
            coder = learn(sample, method, row["bits"], seed=seed, **options)
            codes, some = coder.codes(known), coder.codes(questions)
            if labels is not None:
                precision = mean_average_precision(codes, labels[0], some, labels[1][chosen])
                row["map"].append(round(100 * precision, 4))
            row["recall"].append(round(100 * recall(nearest(codes, some, NEIGHBOURS)[0], truth), 4))
            row["us"].append(round(_microseconds(codes, some), 2))
            if progress:
                progress(f"seed {seed}, {method} {row['bits']}: recall {row['recall'][-1]:.2f} %")
    return rows


def _row(method: str, bits: int, size: int) -> dict[str, Any]:
    return {"method": method, "bits": bits, "bytes": size, "map": [], "recall": [], "us": []}


def _microseconds(codes: NDArray[Any], queries: NDArray[Any]) -> float:
    """Of a search for the ten nearest, per query."""
    some, times = queries[:TIMED], []
    for _ in range(ROUNDS):
        start = time.process_time()
        nearest(codes, some, NEIGHBOURS)
        times.append(time.process_time() - start)
    return 1e6 * median(times) / len(some)


def markdown(measured: dict[str, Any], item: str = "image") -> str:
    """The table of what :func:`main` writes: means, and standard deviations over the seeds. item: what has a
    code."""
    labelled = bool(measured["rows"][0]["map"])
    heads = [
        "code",
        "bits",
        f"bytes per {item}",
        *(["mAP, %"] if labelled else []),
        "recall@10, %",
        "µs per query",
    ]
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for row in measured["rows"]:
        name = "float, cosine" if row["method"] == "float" else row["method"].upper()
        figures = [_spread(row["map"])] if labelled else []
        figures += [_spread(row["recall"]), f"{median(row['us']):,.0f}"]
        name = "signs" if name == "SIGN" else name
        lines.append(" | ".join(["| " + name, str(row["bits"] or ""), f"{row['bytes']:,}", *figures]) + " |")
    return "\n".join(lines)


def _spread(values: list[float]) -> str:
    return f"{mean(values):.2f}" + (f" ± {stdev(values):.2f}" if len(values) > 1 else "")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pruning.transfer.search.benchmark", description=__doc__)
    parser.add_argument("database", type=Path)
    parser.add_argument("queries", type=Path)
    parser.add_argument("--bits", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--asked", type=int, default=1000, help="queries that a seed draws")
    parser.add_argument("--learned", type=int, default=10_000, help="images that a seed learns codes from")
    parser.add_argument("--removed", type=int, help="directions that IIQ removes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    database, queries = load(options.database), load(options.queries)
    rows = measure(
        database,
        queries,
        options.bits,
        options.seeds,
        asked=options.asked,
        learned=options.learned,
        removed=options.removed,
        progress=lambda said: print(said, file=sys.stderr),
    )
    about = {"model": database.about.model, "layer": database.about.layer, "form": database.about.form}
    about |= {"database": database.about.count, "queries": min(options.asked, queries.about.count)}
    about |= {"learned": min(options.learned, database.about.count), "removed": options.removed}
    measured = {**about, "seeds": options.seeds, "rows": rows}
    print(markdown(measured))
    if options.out:
        write_json(options.out, measured)


if __name__ == "__main__":
    main()
