"""Steps in which rows run ahead: a row that has completed a word goes on to the next one.

A step says of every bank whether it reads of the word at hand or of the next one, and of every row whether it
completes its word; a register per row holds its sum until the last row has completed the word
(``docs/decisions/0006-scheduling-irregular-masks.md``). The rules:

* all rows compute the words of a pass in the same order;
* a word moves on to the drain when all rows have completed it and the drain is free again; only then may
  a row complete the next word, so one held sum per row is enough;
* a row without products in a word spends a step on a zero.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.bank_schedule import shared, shared_steps
from hw.compile.schedule.packer import Packed, Settings, pack
from hw.compile.schedule.steps import Steps, one_after_another
from hw.contract.config import drain_rows

Ints = NDArray[np.int64]

EVEN, UNEVEN = Settings(completion_rows=4.0), Settings(completion=12.0, completion_rows=1.5)
"""For words that keep like numbers of products, and for words that do not (measured on both)."""

VARIATION = 0.5
"""Spread of the words' numbers of products, relative to their mean, from which on they are uneven."""

STARTS = 8
TRIED_PRODUCTS = 1 << 18
"""Up to ``STARTS`` orders of words are tried, while they hold no more products than this together."""


def run_ahead(masks: NDArray[np.bool_], *, drain: int | None = None) -> list[Steps]:
    """Steps for ``masks`` (blocks, N, channels, words), block by block.

    The drain is busy with a word for ``drain`` steps, without it for those of an array of N rows. Small
    layers try several orders of words. Never more clocks than with one address for all banks, which n:m
    masks want.
    """
    per_word = masks.mean(axis=(0, 1, 2))
    settings = EVEN if per_word.std() <= VARIATION * per_word.mean() else UNEVEN
    starts = int(np.clip(TRIED_PRODUCTS // max(1, int(masks.sum())), 1, min(STARTS, masks.shape[-1])))
    counts = masks.sum(axis=2)  # (blocks, N, words)
    first = np.linspace(0, masks.shape[-1], starts, endpoint=False).astype(int)
    orders = np.array([[word_order(c, f) for f in first] for c in counts])  # (blocks, starts, words)
    sequences = np.take_along_axis(masks.transpose(0, 3, 1, 2)[:, None], orders[..., None, None], axis=2)
    drain = drain or -(-masks.shape[1] // drain_rows(masks.shape[1]))
    packed = pack(sequences.reshape(-1, *sequences.shape[2:]), settings, drain=drain)
    out = []
    for block, mask in enumerate(masks):
        lengths = packed.length[block * starts : (block + 1) * starts]
        start = int(lengths.argmin())
        if lengths[start] < np.maximum(shared_steps(mask.transpose(2, 0, 1)), drain).sum():
            out.append(_ahead(packed, block * starts + start, orders[block, start]))
        else:
            out.append(_same_word(mask))
    return out


def word_order(counts: Ints, first: int) -> Ints:
    """An order of words that keeps the rows together and lets no two short words follow each other.

    counts (N, words): products. The half of the words with fewest products and the other half take turns,
    so that the drain keeps up; each time the word is taken that leaves the rows' sums of products closest
    to one another. ``first`` is the rank of the word to begin with, 0 for the fewest products.
    """
    surplus = (counts - counts.mean(axis=0)).T  # (words, N)
    scale = surplus.std() or 1.0
    rank = counts.sum(axis=0).argsort(kind="stable").tolist()
    half = len(rank) // 2
    queues = [rank[half:], rank[:half]] if first < half else [rank[:half], rank[half:]]
    order = [rank[first]]
    queues[1].remove(order[0])
    total = surplus[order[0]].copy()
    while any(queues):
        choice = queues[0] or queues[1]
        apart = np.cosh(np.clip((total + surplus[choice]) / scale, -50, 50)).sum(axis=1)
        order.append(choice.pop(int(apart.argmin())))
        total += surplus[order[-1]]
        queues.reverse()
    return np.array(order)


def _ahead(packed: Packed, sequence: int, order: Ints) -> Steps:
    length = packed.length[sequence]
    end_of_word = packed.move[sequence, :length]
    position: Ints = np.cumsum(end_of_word) - end_of_word  # of the word at hand in the order
    following = np.minimum(position + 1, len(order) - 1)
    reads_next = (packed.word[sequence, :length] == following[:, None]) & (following > position)[:, None]
    return Steps(
        word=order[position],
        groups=packed.group[sequence, :length],
        channel=packed.channel[sequence, :length],
        end_of_word=end_of_word,
        next_word=order[following],
        of_next=reads_next,
        end=packed.end[sequence, :length],
    )


def _same_word(mask: NDArray[np.bool_]) -> Steps:
    """All rows on the same word, one address for all banks."""
    words = [(w, shared(mask[:, :, w])) for w in range(mask.shape[2])]
    steps = one_after_another(words, len(mask), dot=False)
    following = np.minimum(steps.word + 1, mask.shape[2] - 1)
    return replace(steps, next_word=following, ahead=True)
