"""Steps of the array: what every bank reads and every row multiplies, clock by clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import BANKS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Steps:
    """T steps of N rows, of one word, of a block of outputs or of a whole layer.

    word (T,): the word at hand, which moves on to the drain with the step of ``end_of_word`` (T,). groups
    (T, 8): channel group every bank reads. channel (T, N): input channel every row multiplies, or -1 where
    it idles. A layer in dot mode has one sum per row, and one end.

    Where rows run ahead (``ahead``): next_word (T,), the word after the one at hand; of_next (T, 8), whether
    a bank reads that one; end (T, N), the row completes its word, with or without a product, and its next
    step begins its next sum. Elsewhere all banks read the word at hand, and all rows end with it: then
    :meth:`in_step` fills these three in.
    """

    word: Ints
    groups: Ints
    channel: Ints
    end_of_word: Bools
    next_word: Ints
    of_next: Bools
    end: Bools
    ahead: bool = True

    @classmethod
    def in_step(cls, word: Ints, groups: Ints, channel: Ints, end_of_word: Bools) -> Steps:
        """All rows on the same word."""
        end = np.broadcast_to(end_of_word[:, None], channel.shape)
        of_next = np.broadcast_to(np.False_, groups.shape)
        return cls(word, groups, channel, end_of_word, word, of_next, end, ahead=False)

    @classmethod
    def of_word(cls, groups: Ints, channel: Ints, word: int = 0) -> Steps:
        """The steps of one word."""
        steps = len(groups)
        return cls.in_step(np.full(steps, word), groups, channel, np.arange(steps) == steps - 1)

    def __len__(self) -> int:
        return len(self.word)

    @property
    def bank_words(self) -> Ints:
        """(T, 8): the word that every bank reads."""
        return np.where(self.of_next, self.next_word[:, None], self.word[:, None])

    def taken(self, order: Ints, word: Ints) -> Steps:
        """These of the steps, all of the same word, each for a ``word``."""
        groups, channel, end_of_word = self.groups[order], self.channel[order], self.end_of_word[order]
        if not self.ahead:
            return Steps.in_step(word, groups, channel, end_of_word)
        return Steps(word, groups, channel, end_of_word, word, self.of_next[order], self.end[order])

    def held_up(self, order: Ints, idle: Bools) -> Steps:
        """These of the steps, of which the ``idle`` ones multiply nothing and end nothing."""
        channel = np.where(idle[:, None], -1, self.channel[order])
        end_of_word = self.end_of_word[order] & ~idle
        if not self.ahead:
            return Steps.in_step(self.word[order], self.groups[order], channel, end_of_word)
        end = self.end[order] & ~idle[:, None]
        shared = self.word[order], self.groups[order], channel, end_of_word
        return Steps(*shared, self.next_word[order], self.of_next[order], end)

    def clocks(self, drain: int) -> int:
        """Clocks when nothing makes a step wait but the drain, busy with a word for ``drain`` of them."""
        lengths = np.diff(np.flatnonzero(self.end_of_word), prepend=-1)
        return int(np.maximum(lengths, drain).sum())


def one_after_another(words: Sequence[tuple[int, Steps]], rows: int, *, dot: bool) -> Steps:
    """``words``, by number, with the steps of each: all N = ``rows`` rows are on the same word.

    A word without steps takes one, which delivers a zero; so does a block without words.
    """
    empty = Steps.of_word(np.zeros((1, BANKS), np.int64), np.full((1, rows), -1, np.int64))
    filled = [(word, steps if len(steps) else empty) for word, steps in words] or [(0, empty)]
    lengths = [len(steps) for _, steps in filled]
    end_of_word = np.zeros(sum(lengths), dtype=bool)
    end_of_word[-1 if dot else np.cumsum(lengths) - 1] = True
    return Steps.in_step(
        word=np.repeat([word for word, _ in filled], lengths),
        groups=np.concatenate([steps.groups for _, steps in filled]),
        channel=np.concatenate([steps.channel for _, steps in filled]),
        end_of_word=end_of_word,
    )


def joined(blocks: Sequence[Steps], *, ahead: bool) -> Steps:
    """The steps of ``blocks``, one after another; ``ahead``: rows run ahead in some of them."""

    def all_of(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(block, name) for block in blocks])

    plain = all_of("word"), all_of("groups"), all_of("channel"), all_of("end_of_word")
    if not ahead:
        return Steps.in_step(*plain)
    return Steps(*plain, all_of("next_word"), all_of("of_next"), all_of("end"))
