"""The steps of one block of rows in the form the array executes, whichever way they were found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.rows import RunAhead
from hw.compile.schedule.steps import Steps
from hw.contract.config import BANKS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class BlockSteps:
    """T steps of N rows.

    word (T,): the word at hand, which moves on to the drain with the step of ``end_of_word`` (T,).
    next_word (T,): the one after it. groups, of_next (T, 8): channel group every bank reads, and whether of
    the next word. channel (T, N): input channel every row multiplies, or -1 where it idles. end (T, N): the
    row completes its word. A layer in dot mode has one sum per row, and one end.
    """

    word: Ints
    next_word: Ints
    groups: Ints
    of_next: Bools
    channel: Ints
    end: Bools
    end_of_word: Bools

    def __len__(self) -> int:
        return len(self.word)

    def clocks(self, drain: int) -> int:
        """Clocks when nothing makes a step wait but the drain, busy with a word for ``drain`` of them."""
        lengths = np.diff(np.flatnonzero(self.end_of_word), prepend=-1)
        return int(np.maximum(lengths, drain).sum())


def in_turn(words: Sequence[tuple[int, Steps]], rows: int, *, dot: bool) -> BlockSteps:
    """All rows on the same word: ``words`` with their steps, one behind the other.

    A word without steps takes one, which delivers a zero; so does a block without words.
    """
    empty = Steps(np.zeros((1, BANKS), np.int64), np.full((1, rows), -1, np.int64))
    filled = [(word, steps if len(steps) else empty) for word, steps in words] or [(0, empty)]
    lengths = [len(steps) for _, steps in filled]
    word = np.repeat([word for word, _ in filled], lengths)
    end_of_word = np.zeros(len(word), dtype=bool)
    end_of_word[-1 if dot else np.cumsum(lengths) - 1] = True
    return BlockSteps(
        word=word,
        next_word=word,
        groups=np.concatenate([steps.groups for _, steps in filled]),
        of_next=np.zeros((len(word), BANKS), dtype=bool),
        channel=np.concatenate([steps.channel for _, steps in filled]),
        end=np.repeat(end_of_word[:, None], rows, axis=1),
        end_of_word=end_of_word,
    )


def ahead(steps: RunAhead, names: Ints, rows: int) -> BlockSteps:
    """Rows that run ahead: ``steps`` of words that are called ``names``, for the first of ``rows`` rows.

    The other rows are those that a short block lacks.
    """
    order = np.append(steps.order, steps.order[-1])
    at_hand: Ints = np.cumsum(steps.end_of_word) - steps.end_of_word
    low, following = order[at_hand], order[at_hand + 1]
    served = steps.channel.shape[1]
    channel = np.full((len(steps), rows), -1, np.int64)
    channel[:, :served] = steps.channel
    end = np.repeat(steps.end_of_word[:, None], rows, axis=1)
    end[:, :served] = steps.end
    return BlockSteps(
        word=names[low],
        next_word=names[following],
        groups=steps.groups,
        of_next=(steps.word == following[:, None]) & (following != low)[:, None],
        channel=channel,
        end=end,
        end_of_word=steps.end_of_word,
    )
