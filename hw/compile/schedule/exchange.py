"""Exchanges: a row hands an earlier step to a channel that still waits, and takes this step instead.

A row that has multiplied channel c in step s can multiply c now and, in step s, another channel
that was read then. If that one still waits the row has gained a product although nothing new was
read for it; if it had been multiplied too, in step r, the same goes for r: a chain. These are the
augmenting paths of bipartite matching (Berge 1957), of channels to steps, in every row at once.

The *level* of a channel, for a row, is the length of the shortest such chain: 0 for a channel that
waits. Levels up to ``NEAR`` are computed anew after every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import BANKS

Ints = NDArray[np.int64]

NEAR = 8
"""Longest chain that is looked for."""

FAR = 255
"""Level of a channel that does not help the row."""


class Exchange:
    """Reads and products of B sequences of N rows so far, and the levels that follow from them.

    Channels are numbered bank by bank, k·groups + g; ``none`` stands for no channel. now: the current
    step. level (B, N, none + 1). since (B, N): first step of the row's word. reads, read_word (B, 8,
    steps): channel read and its word. slots (B, N, steps): channel the row multiplies in a step.
    """

    def __init__(self, todo: NDArray[np.bool_], groups: int, capacity: int):
        sequences, rows, none = todo.shape
        self.none, self.groups, self.now = none, groups, 0
        self.level = np.full((sequences, rows, none + 1), FAR, np.uint8)
        self.level[:, :, :none][todo] = 0
        self.since = np.zeros((sequences, rows), np.int64)
        self._step_of = np.zeros((sequences, rows, none + 1), np.int64)
        self.reads = np.full((sequences, BANKS, capacity), none)
        self.read_word = np.full((sequences, BANKS, capacity), -1)
        self.slots = np.full((sequences, rows, capacity), none)

    def read(self, channels: Ints, words: Ints) -> None:
        """In this step the banks read ``channels`` (B, 8), none included, of ``words`` (B, 8)."""
        self.reads[:, :, self.now] = channels
        self.read_word[:, :, self.now] = np.where(channels < self.none, words, -1)

    def begin(self, b: Ints, n: Ints, todo: NDArray[np.bool_]) -> None:
        """Rows (b, n) start a word with the channels ``todo`` (len(b), none) in this step."""
        self.level[b, n, : self.none] = np.where(todo, 0, FAR)
        self.since[b, n] = self.now

    def multiply(self, b: Ints, n: Ints, channel: Ints, word: Ints, waiting: NDArray[np.float32]) -> Ints:
        """Rows (b, n), at ``word``, multiply ``channel`` now; returns the channel each waits for no longer.

        No level may be ``FAR``. Among exchanges of one level the channel with fewest rows ``waiting``
        (B, W, none) is taken. Levels are out of date until the next :meth:`update`.
        """
        last, step = channel.copy(), np.full(len(b), self.now)
        i = np.arange(len(b))
        while len(i):
            rows = b[i], n[i]
            again = self.level[(*rows, last[i])] > 0
            earlier = self._step_of[(*rows, last[i])][again]
            self.slots[(*rows, step[i])] = last[i]
            self._step_of[(*rows, last[i])] = step[i]
            i = i[again]
            right_word = self.read_word[b[i], :, earlier] == word[i, None]
            options = np.where(right_word, self.reads[b[i], :, earlier], self.none)  # (i, 8)
            level = self.level[b[i, None], n[i, None], options]
            rows_waiting = waiting[b[i, None], word[i, None], np.minimum(options, self.none - 1)]
            best = (level * 4096.0 + rows_waiting).argmin(axis=1)
            last[i], step[i] = options[np.arange(len(i)), best], earlier
        return last

    def update(self, b: int, rows: Ints, word: int) -> None:
        """Levels of the ``rows`` of sequence ``b`` that are at ``word``, after the products of this step."""
        since = self.since[b, rows, None]
        first, now = int(since.min(initial=self.now + 1)), self.now + 1
        reads = np.where(self.read_word[b, :, first:now] == word, self.reads[b, :, first:now], self.none)
        level = self.level[b, rows]
        mine = np.where(np.arange(first, now) >= since, self.slots[b, rows, first:now], self.none)
        level[np.arange(len(rows))[:, None], mine] = FAR
        for near in range(NEAR):
            nearest = level.take(reads, axis=1).min(axis=1, initial=FAR)  # (rows, steps)
            n, step = np.nonzero((nearest == near) & (mine < self.none))
            fresh = level[n, mine[n, step]] == FAR
            if not fresh.any():
                break
            level[n[fresh], mine[n[fresh], step[fresh]]] = near + 1
        self.level[b, rows] = level

    def close(self) -> None:
        """Go on to the next step."""
        self.now += 1
        if self.now == self.reads.shape[2]:
            self.reads = np.concatenate([self.reads, np.full_like(self.reads, self.none)], axis=2)
            self.read_word = np.concatenate([self.read_word, np.full_like(self.read_word, -1)], axis=2)
            self.slots = np.concatenate([self.slots, np.full_like(self.slots, self.none)], axis=2)
