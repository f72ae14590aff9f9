"""Block formation: which output channels share a block of rows.

A word of a block takes at least as many steps as its busiest row keeps channels, so rows that are busy
in the same words belong together. The outputs of a layer may come in any order if the next layer's
inputs follow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def form_blocks(counts: Ints, rows: int, *, seed: int = 0, rounds: int = 64) -> Ints:
    """An order of output channels whose blocks of ``rows`` need few steps: at most as many as they do now.

    counts (out, words): products. What is minimised is the sum over blocks and words of the busiest row.
    ``rounds`` times, every channel in turn changes places with the channel of another, random block for which
    that gains most. The last block keeps its size.
    """
    rng = np.random.default_rng(seed)
    blocks = np.split(np.arange(len(counts)), range(rows, len(counts), rows))
    for _ in range(rounds if len(blocks) > 1 else 0):
        gained = 0
        for a in range(len(blocks)):
            for i in range(len(blocks[a])):
                b = int(rng.integers(len(blocks) - 1))
                gained += _exchange(counts, blocks[a], i, blocks[b + (b >= a)])
        if not gained:
            break
    return np.concatenate(blocks)


def _exchange(counts: Ints, block: Ints, i: int, other: Ints) -> int:
    """Exchange channel ``i`` of ``block`` for the best of ``other``, in place; returns the gain in steps."""
    mine, others = counts[block], counts[other]
    without = np.delete(mine, i, axis=0).max(axis=0, initial=0)
    top = others.max(axis=0)
    alone = (others == top) & ((others == top).sum(axis=0) == 1)
    second = np.where(others == top, -1, others).max(axis=0).clip(0)
    after = np.maximum(without, others).sum(axis=1)
    after = after + np.maximum(np.where(alone, second, top), mine[i]).sum(axis=1)
    j = int(after.argmin())
    gain = int(mine.max(axis=0).sum() + top.sum() - after[j])
    if gain <= 0:
        return 0
    block[i], other[j] = other[j], block[i]
    return gain
