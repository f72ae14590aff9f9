"""The steps of one layer: what the array multiplies in which clock, block after block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.block_steps import BlockSteps
from hw.compile.schedule.layer import (
    GAIN,
    fastest_blocks,
    fewest_clocks,
    layer_blocks,
    packed_blocks,
    pays,
    shared_blocks,
    useful_processes,
)
from hw.contract.artifact import LayerWeights
from hw.contract.config import BANKS
from hw.util.processes import in_order


@dataclass(frozen=True)
class Ahead:
    """What steps hold besides where rows may run ahead and every bank has an address of its own.

    next_word (T,): the word after the one at hand. of_next (T, 8): the bank reads that one. end (T, N): the
    row completes its word; the next step begins its next sum.
    """

    next_word: NDArray[np.int64]
    of_next: NDArray[np.bool_]
    end: NDArray[np.bool_]


@dataclass(frozen=True)
class StepTable:
    """The steps of one layer, block after block, for one tile group.

    word (T,): spectrum word at hand. groups (T, 8): channel group per bank. select (T, N): bank per
    row. weight (T, N, 2): weight word per row, zero where the row idles. end_of_word, end_of_pass
    (T,): last step of a word's sums, of a block. run_ahead: None where all banks share the group and all
    rows the word.
    """

    word: NDArray[np.int64]
    groups: NDArray[np.int64]
    select: NDArray[np.int64]
    weight: NDArray[np.int64]
    end_of_word: NDArray[np.bool_]
    end_of_pass: NDArray[np.bool_]
    run_ahead: Ahead | None = None

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

    @property
    def as_run_ahead(self) -> Ahead:
        """``run_ahead``, or what it is for steps of an array whose rows do not make use of it."""
        if self.run_ahead:
            return self.run_ahead
        end = np.repeat(self.end_of_word[:, None], self.select.shape[1], axis=1)
        return Ahead(self.word, np.zeros((len(self), BANKS), dtype=bool), end)


def step_table(weights: LayerWeights, rows: int, *, dot: bool, regular: bool = False) -> StepTable:
    """The steps of one layer: rows run ahead only where that pays (:func:`hw.compile.schedule.layer.pays`).

    ``regular``: the masks are n:m, whose weights that were rounded to zero are no reason to pack them.
    """
    layer = layer_blocks(weights.mask, rows, dot=dot)
    plain = shared_blocks(layer)
    if not regular and fewest_clocks(layer) <= GAIN * layer.clocks(plain):
        fastest = fastest_blocks(layer, packed_blocks(layer))
        if pays(layer, fastest, plain):
            return _table(weights, rows, fastest, ahead=True)
    return _table(weights, rows, plain, ahead=False)


def irregular_tables(
    layers: Sequence[tuple[LayerWeights, bool]], rows: int, processes: int
) -> Iterator[StepTable]:
    """The tables of layers (weights, dot) whose masks are not n:m, in order, ``processes`` at a time."""
    calls = [partial(step_table, weights, rows, dot=dot) for weights, dot in layers]
    return in_order(calls, useful_processes((weights.mask for weights, _ in layers), processes))


def _table(weights: LayerWeights, rows: int, blocks: Sequence[BlockSteps], *, ahead: bool) -> StepTable:
    """``blocks`` with their weights."""

    def joined(name: str) -> NDArray[np.int64]:
        return np.concatenate([getattr(block, name) for block in blocks])

    channel, word, next_word = joined("channel"), joined("word"), joined("next_word")
    of_next = joined("of_next").astype(bool)
    idle = channel < 0
    channel = np.where(idle, 0, channel)
    select = channel % BANKS
    lengths = [len(block) for block in blocks]
    output = np.repeat(np.arange(len(blocks)) * rows, lengths)[:, None] + np.arange(rows)
    read = np.where(np.take_along_axis(of_next, select, axis=1), next_word[:, None], word[:, None])
    weight = weights.weight[np.minimum(output, len(weights.weight) - 1), channel, read].astype(np.int64)
    weight[idle] = 0
    end_of_pass = np.zeros(len(word), dtype=bool)
    end_of_pass[np.cumsum(lengths) - 1] = True
    return StepTable(
        word=word,
        groups=joined("groups"),
        select=select,
        weight=weight,
        end_of_word=joined("end_of_word").astype(bool),
        end_of_pass=end_of_pass,
        run_ahead=Ahead(next_word, of_next, joined("end").astype(bool)) if ahead else None,
    )
