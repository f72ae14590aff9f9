"""The packer: many blocks at a time, step after step, eight reads and one product per row in each.

A *sequence* is one block of N rows and the words it computes, in order. In every step the packer

1. weighs the rows: the more products a row has before it, the more a product of it is worth, because
   the busiest row bounds the number of steps;
2. gives every bank the read that is worth most, bank after bank, and goes round again to revise each
   choice in the light of the others. A channel that few rows wait for is worth more per row: what
   is left of it would cost a read later, for those rows alone;
3. lets every row multiply one of the channels read. A row may use a channel that it has multiplied
   before, if that frees the earlier step for one that still waits (:mod:`hw.compile.schedule.exchange`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.exchange import FAR, Exchange
from hw.contract.config import BANKS

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Settings:
    """How the packer weighs rows and channels.

    urgency: a product of a row with one product more before it is worth exp(urgency) times as much.
    completion, completion_rows: a channel that u rows wait for is worth
    1 + completion · exp(-u / completion_rows) to each of them.
    """

    urgency: float = 0.1
    completion: float = 5.0
    completion_rows: float = 2.5


REVISIONS = 2
"""Rounds in which every bank's read is chosen anew."""


@dataclass(frozen=True)
class Packed:
    """Steps of B sequences, T at most.

    length (B,): steps of a sequence. word, group (B, T, 8): what a bank reads: which word of the
    sequence, which channel group (0 and 0 where nothing). channel (B, T, N): input channel a row
    multiplies, -1 where it idles. end (B, T, N): the row completes a word in this step. move (B, T): the
    word moves on to the drain.
    """

    length: Ints
    word: Ints
    group: Ints
    channel: Ints
    end: NDArray[np.bool_]
    move: NDArray[np.bool_]


def pack(masks: NDArray[np.bool_], settings: Settings, *, drain: int | None = None) -> Packed:
    """Pack ``masks`` (B, W, N, channels): B sequences of W words.

    Without ``drain`` all rows work on the same word. With it rows run ahead: one that has completed a word
    goes on to the next at once. A word moves on to the drain when all rows have completed it and ``drain``
    steps after the word before; only then may a row complete the next one.
    """
    packer = _Packer(masks, settings, drain)
    while packer.busy.any():
        packer.step()
    return packer.result()


class _Packer:
    """State of :func:`pack`. Channels are numbered bank by bank here: k·G + g, and ``none`` = 8·G."""

    def __init__(self, masks: NDArray[np.bool_], settings: Settings, drain: int | None):
        sequences, self.words, rows, channels = masks.shape
        self.settings, self.drain = settings, drain
        self.ahead = int(drain is not None)  # how many words a row may be ahead
        self.groups = groups = -(-channels // BANKS)
        self.none = BANKS * groups
        # Two empty words after the last one: what follows exists everywhere.
        todo = np.zeros((sequences, self.words + 2, rows, groups, BANKS), dtype=bool)
        todo.reshape(*todo.shape[:3], -1)[:, : self.words, :, :channels] = masks
        self.todo = todo.swapaxes(-1, -2).reshape(*todo.shape[:3], self.none)
        self.products = self.todo.sum(axis=3)  # (B, W + 2, N)
        self.waiting = self.todo.sum(axis=2).astype(np.float32)  # (B, W + 2, none): rows that need a channel
        self.b, self.n = np.arange(sequences), np.arange(rows)
        self.word = np.zeros((sequences, rows), np.int64)
        self.left = self.products[:, 0].copy()
        self.low = np.zeros(sequences, np.int64)  # the word to move on to the drain next
        self.moved = np.full(sequences, -1)  # the step in which the word before it did
        self.length = np.zeros(sequences, np.int64)
        self.ends: list[NDArray[np.bool_]] = []
        self.moves: list[NDArray[np.bool_]] = []
        capacity = 2 * int(self.products.max(axis=2).sum(axis=1).max(initial=0)) + 1
        self.exchange = Exchange(self.todo[:, 0], groups, capacity)
        if drain is None:
            self._skip_empty()

    @property
    def busy(self) -> NDArray[np.bool_]:
        """(B,): which sequences have words left."""
        busy: NDArray[np.bool_] = self.low < self.words
        return busy

    def step(self) -> None:
        """One step of all sequences."""
        self.length += self.busy
        offset = self.word - self.low[:, None]
        able = (self.left > 0) & ((offset == 0) | ((offset <= self.ahead) & (self.left > 1)))
        weight = self._weights(offset, able)
        reads, of_next = self._choose(weight, self._values(offset))
        served = self._serve(reads, of_next, offset, able)
        self._advance(served, offset)

    def _weights(self, offset: Ints, able: NDArray[np.bool_]) -> NDArray[np.float32]:
        """(B, 1 or 2, N): what a product of a row is worth, rows at the low word and at the next apart."""
        backlog = self.left
        if self.ahead:
            following = np.minimum(self.word + 1, self.words)
            backlog = backlog + (offset == 0) * self.products[self.b[:, None], following, self.n]
        most = np.where(able, backlog, 0).max(axis=1, keepdims=True)
        worth = np.exp(self.settings.urgency * np.minimum(backlog - most, 0))
        rows = [able & (offset == i) for i in range(1 + self.ahead)]
        return np.stack([np.where(some, worth, 0).astype(np.float32) for some in rows], axis=1)

    def _values(self, offset: Ints) -> NDArray[np.float32]:
        """(B, N, none): what a read of a channel is worth to a row; 0 where it is of no use."""
        words = self.low[:, None] + np.arange(1 + self.ahead)
        fewer = np.exp(self.waiting[self.b[:, None], words] / -self.settings.completion_rows)
        bonus = 1 + self.settings.completion * fewer
        waits = bonus[self.b[:, None], np.clip(offset, 0, 1)] if self.ahead else bonus
        level = self.exchange.level[:, :, :-1]
        value: NDArray[np.float32] = np.where(level == 0, waits, (level < FAR).astype(np.float32))
        return value

    def _choose(self, weight: NDArray[np.float32], value: NDArray[np.float32]) -> tuple[Ints, Ints]:
        """(B, 8) twice: the channel every bank reads, or none; 1 where it is one of the next word."""
        groups, b = self.groups, self.b
        reads = np.full((len(b), BANKS), self.none)
        of_next = np.zeros_like(reads)
        useful = np.zeros((BANKS, len(b), len(self.n)), dtype=bool)
        covers = np.zeros((len(b), len(self.n)), np.int8)
        for _ in range(1 + REVISIONS):
            for k in np.roll(np.arange(BANKS), self.exchange.now):
                covers -= useful[k]
                gain = (weight * (covers == 0)[:, None]) @ value[:, :, k * groups : (k + 1) * groups]
                gain = gain.reshape(len(b), -1)
                best = gain.argmax(axis=1)
                better = gain[b, best] > 0
                reads[:, k] = np.where(better, k * groups + best % groups, reads[:, k])
                of_next[:, k] = np.where(better, best // groups, of_next[:, k])
                channel = np.minimum(reads[:, k], self.none - 1)
                useful[k] = (value[b, :, channel] > 0) & (weight[b, of_next[:, k]] > 0)
                useful[k] &= (reads[:, k] < self.none)[:, None]
                covers += useful[k]
        return reads, of_next

    def _serve(self, reads: Ints, of_next: Ints, offset: Ints, able: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Give the rows their products; returns which rows (B, N) got one."""
        words = self.low[:, None] + of_next
        self.exchange.read(reads, words)
        level = self.exchange.level[self.b[:, None], :, reads]  # (B, 8, N)
        usable = able[:, None] & (offset[:, None] == of_next[:, :, None]) & (level < FAR)
        waiting = self.waiting[self.b[:, None], words, np.minimum(reads, self.none - 1)]
        # Shortest chain first, then the channel that fewest rows wait for.
        bank = np.where(usable, level * 4096.0 + waiting[:, :, None], np.inf).argmin(axis=1)
        b, n = np.nonzero(usable.any(axis=1))
        word = self.word[b, n]
        gone = self.exchange.multiply(b, n, reads[b, bank[b, n]], word, self.waiting)
        np.subtract.at(self.waiting, (b, word, gone), 1)
        served = np.zeros(able.shape, dtype=bool)
        served[b, n] = True
        return served

    def _advance(self, served: NDArray[np.bool_], offset: Ints) -> None:
        """Close the step; rows that have completed a word go on to the next one."""
        self.left -= served
        for b in np.flatnonzero(self.busy):
            for i in range(1 + self.ahead):
                self.exchange.update(int(b), np.flatnonzero(offset[b] == i), int(self.low[b]) + i)
        ends = served & (self.left == 0)
        if self.ahead:  # a row without products in a word spends a step on its zero
            ends |= ~served & (self.left == 0) & (offset == 0) & (self.word < self.words)
        now = self.exchange.now
        self.exchange.close()
        self._next_word(*np.nonzero(ends))
        before = self.low
        if self.drain is None:
            self._skip_empty()
        else:
            self.low = before + ((self.word.min(axis=1) > before) & (now - self.moved >= self.drain))
            self.moved = np.where(self.low > before, now, self.moved)
        self.ends.append(ends)
        self.moves.append(self.low > before)

    def _next_word(self, b: Ints, n: Ints) -> None:
        self.word[b, n] += 1
        word = self.word[b, n]
        self.left[b, n] = self.products[b, word, n]
        self.exchange.begin(b, n, self.todo[b, word, n])

    def _skip_empty(self) -> None:
        """Without run-ahead a row that has nothing to do in a word waits for the others."""
        while len((rows := np.nonzero((self.left == 0) & (self.word < self.words)))[0]):
            self._next_word(*rows)
        self.low = self.word.min(axis=1)

    def result(self) -> Packed:
        """What has been packed."""
        steps, ex = int(self.length.max(initial=0)), self.exchange
        reads = ex.reads[:, :, :steps].swapaxes(1, 2)
        slots = ex.slots[:, :, :steps].swapaxes(1, 2)
        channel = slots % self.groups * BANKS + slots // self.groups
        ends = np.array(self.ends, dtype=bool).reshape(-1, *self.left.shape)
        moves = np.array(self.moves, dtype=bool).reshape(-1, len(self.b))
        return Packed(
            length=self.length,
            word=np.maximum(ex.read_word[:, :, :steps].swapaxes(1, 2), 0),
            group=np.where(reads < self.none, reads % self.groups, 0),
            channel=np.where(slots < self.none, channel, -1),
            end=ends.swapaxes(0, 1),
            move=moves.swapaxes(0, 1),
        )
