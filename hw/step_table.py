"""The steps of one layer: what the array multiplies in which clock, block after block."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.artifact import LayerWeights
from hw.config import BANKS
from hw.schedule import Steps, pack_words, shared
from hw.words import WORDS

Packer = Callable[[NDArray[np.bool_]], list[Steps]]
"""Steps for masks (words, N, channels)."""

PER_BANK_GAIN = 0.95
"""A layer takes an address per bank only where that leaves at most this share of the steps."""


@dataclass(frozen=True)
class StepTable:
    """The steps of one layer, block after block, for one tile group.

    word (T,): spectrum word read. groups (T, 8): channel group per bank. select (T, N): bank per
    row. weight (T, N, 2): weight word per row, zero where the row idles. end_of_word, end_of_pass
    (T,): last step of a word's sum, of a block. per_bank: whether the groups differ between banks.
    """

    word: NDArray[np.int64]
    groups: NDArray[np.int64]
    select: NDArray[np.int64]
    weight: NDArray[np.int64]
    end_of_word: NDArray[np.bool_]
    end_of_pass: NDArray[np.bool_]
    per_bank: bool

    def __len__(self) -> int:
        return len(self.word)

    @cached_property
    def word_lengths(self) -> NDArray[np.int64]:
        """(W,) steps of every word that is delivered, block after block."""
        return np.diff(np.flatnonzero(self.end_of_word), prepend=-1)

    @cached_property
    def first_words(self) -> NDArray[np.int64]:
        """(blocks,) which of ``word_lengths`` is the first one of every block."""
        words = np.flatnonzero(self.end_of_word)
        return np.concatenate([[0], np.searchsorted(words, np.flatnonzero(self.end_of_pass)[:-1]) + 1])

    @property
    def occupancy(self) -> float:
        """Share of multiplier slots (steps × rows) that hold a non-zero weight."""
        return float(np.any(self.weight != 0, axis=-1).mean())


def step_table(weights: LayerWeights, rows: int, *, dot: bool, regular: bool = False) -> StepTable:
    """The steps of one layer: per-bank addresses only where they pay (``PER_BANK_GAIN``).

    ``regular``: the masks are n:m, whose weights that were rounded to zero are no reason to pack them.
    """
    in_turn = _tables(weights, rows, dot, _shared)
    enough = PER_BANK_GAIN * sum(len(table) for table in in_turn)
    if not regular and _fewest_steps(weights, rows, dot) <= enough:
        packed = _tables(weights, rows, dot, pack_words)
        if sum(len(table) for table in packed) <= enough:
            return _concatenate(packed, True)
    return _concatenate(in_turn, False)


def _shared(masks: NDArray[np.bool_]) -> list[Steps]:
    return [shared(mask) for mask in masks]


def _fewest_steps(weights: LayerWeights, rows: int, dot: bool) -> int:
    """Steps no addressing can go below: the busiest row of every word of every block."""
    per_word = weights.mask.sum(axis=1)  # (out, 32)
    bounds = np.array([per_word[n : n + rows].max(axis=0) for n in range(0, len(per_word), rows)])
    if not dot:
        bounds[:, 0] = np.maximum(bounds[:, 0], 1)
    return int(bounds.sum())


def _tables(weights: LayerWeights, rows: int, dot: bool, pack: Packer) -> list[StepTable]:
    """A table per block of ``rows`` outputs; ``pack`` gets the masks of all words of all blocks at once."""
    outputs = len(weights.weight)
    blocks = -(-outputs // rows)
    weight = np.zeros((blocks * rows, *weights.weight.shape[1:]), np.int64)
    weight[:outputs] = weights.weight
    weight = weight.reshape(blocks, rows, *weight.shape[1:])  # (block, N, channels, 32, 2)
    masks = np.any(weight != 0, axis=-1).transpose(0, 3, 1, 2)  # (block, 32, N, channels)
    steps = pack(masks.reshape(-1, *masks.shape[2:]))
    return [_block(weight[k], steps[k * WORDS : (k + 1) * WORDS], dot) for k in range(blocks)]


def _block(weight: NDArray[np.int64], steps: list[Steps], dot: bool) -> StepTable:
    """The steps of one block, word after word, the one with fewest steps first.

    A word shorter than its drain makes the next one wait, but a pass that had to wait for its spectra finds
    the drain idle: its first word may be short.
    """
    # A word without products is not delivered and reads as zero; word 0 brings the bias in any case.
    words = [(b, one) for b, one in enumerate(steps) if len(one) or (b == 0 and not dot)]
    words = words or [(0, Steps(np.zeros((0, BANKS), np.int64), np.zeros((0, len(weight)), np.int64)))]
    if not dot:
        words.insert(0, words.pop(min(range(len(words)), key=lambda i: len(words[i][1]))))
    tables = [_word_steps(weight[:, :, b], b, one, close=not dot) for b, one in words]
    table = _concatenate(tables, False)
    table.end_of_word[-1] = table.end_of_pass[-1] = True
    return table


def _word_steps(weight: NDArray[np.int64], word: int, steps: Steps, *, close: bool) -> StepTable:
    """Steps of one word; without products it is one step, which delivers a zero."""
    rows = len(weight)
    if not len(steps):
        steps = Steps(np.zeros((1, BANKS), np.int64), np.full((1, rows), -1, np.int64))
    idle = steps.channel < 0
    channel = np.where(idle, 0, steps.channel)
    picked = weight[np.arange(rows), channel]  # (T, N, 2)
    picked[idle] = 0
    end = np.zeros(len(steps), dtype=bool)
    end[-1] = close
    return StepTable(
        word=np.full(len(steps), word, np.int64),
        groups=steps.groups,
        select=channel % BANKS,
        weight=picked,
        end_of_word=end,
        end_of_pass=np.zeros(len(steps), dtype=bool),
        per_bank=False,
    )


def _concatenate(tables: list[StepTable], per_bank: bool) -> StepTable:
    names = ("word", "groups", "select", "weight", "end_of_word", "end_of_pass")
    arrays = {name: np.concatenate([getattr(t, name) for t in tables]) for name in names}
    return StepTable(**arrays, per_bank=per_bank)
