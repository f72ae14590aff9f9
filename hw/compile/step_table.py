"""The steps of one layer: what the array multiplies in which clock, block after block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

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
from hw.compile.schedule.steps import Steps, joined
from hw.contract.artifact import LayerWeights
from hw.contract.config import BANKS
from hw.util.processes import in_order


@dataclass(frozen=True)
class StepTable:
    """The steps of one layer, block after block, for one tile group, with their weights.

    weight (T, N, 2): weight word per row, zero where the row idles. end_of_pass (T,): last step of a block.
    """

    steps: Steps
    weight: NDArray[np.int64]
    end_of_pass: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def word(self) -> NDArray[np.int64]:
        """(T,): spectrum word at hand."""
        return self.steps.word

    @property
    def groups(self) -> NDArray[np.int64]:
        """(T, 8): channel group per bank."""
        return self.steps.groups

    @property
    def select(self) -> NDArray[np.int64]:
        """(T, N): bank per row."""
        return np.maximum(self.steps.channel, 0) % BANKS

    @property
    def end_of_word(self) -> NDArray[np.bool_]:
        """(T,): last step of a word's sums."""
        return self.steps.end_of_word

    @property
    def run_ahead(self) -> Steps | None:
        """None where all banks share the group and all rows the word."""
        return self.steps if self.steps.ahead else None

    @property
    def as_run_ahead(self) -> Steps:
        """The steps as an array takes them whose rows may run ahead, whether they make use of it or not."""
        return self.steps

    @cached_property
    def word_lengths(self) -> NDArray[np.int64]:
        """(W,) steps of every valid word, block after block."""
        return np.diff(np.flatnonzero(self.end_of_word), prepend=-1)

    @cached_property
    def block_lengths(self) -> NDArray[np.int64]:
        """(blocks,) steps of every block."""
        return np.diff(np.flatnonzero(self.end_of_pass), prepend=-1)

    @cached_property
    def first_words(self) -> NDArray[np.int64]:
        """(blocks,) which of ``word_lengths`` is the first one of every block."""
        words = np.flatnonzero(self.end_of_word)
        return np.concatenate([[0], np.searchsorted(words, np.flatnonzero(self.end_of_pass)[:-1]) + 1])

    def repeated(self, times: int) -> StepTable:
        """The steps of every block so many times, for one word after the other, where they name a single
        one."""
        if times == 1:
            return self
        ends = np.flatnonzero(self.end_of_pass) + 1
        order = np.concatenate([np.tile(block, times) for block in np.split(np.arange(len(self)), ends[:-1])])
        lengths = self.block_lengths
        word = np.concatenate([np.repeat(np.arange(times), length) for length in lengths])
        last = np.zeros(len(order), np.bool_)
        last[np.cumsum(times * lengths) - 1] = True
        return StepTable(self.steps.taken(order, word), self.weight[order], last)

    def padded(self, lengths: NDArray[np.int64]) -> StepTable:
        """The same blocks, with so many steps each: none has more. What is missing comes in front of a block,
        steps of its first word that multiply nothing."""
        missing = lengths - self.block_lengths
        if not missing.any():
            return self
        first = np.concatenate([[0], np.flatnonzero(self.end_of_pass)[:-1] + 1])
        order = np.insert(np.arange(len(self)), np.repeat(first, missing), np.repeat(first, missing))
        # Of equal numbers in a row the last one is the step itself.
        idle = np.append(order[1:] == order[:-1], False)
        weight = np.where(idle[:, None, None], 0, self.weight[order])
        return StepTable(self.steps.held_up(order, idle), weight, self.end_of_pass[order] & ~idle)

    def in_format_of(self, other: StepTable) -> StepTable:
        """The same steps, as those of rows that run ahead if the ``other`` ones are."""
        if self.steps.ahead or not other.steps.ahead:
            return self
        return replace(self, steps=replace(self.steps, ahead=True))

    @property
    def occupancy(self) -> float:
        """Share of multiplier slots (steps × rows) that hold a non-zero weight."""
        return float(np.any(self.weight != 0, axis=-1).mean())


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


def _table(weights: LayerWeights, rows: int, blocks: Sequence[Steps], *, ahead: bool) -> StepTable:
    """``blocks`` with their weights."""
    steps = joined(blocks, ahead=ahead)
    idle = steps.channel < 0
    channel = np.where(idle, 0, steps.channel)
    lengths = [len(block) for block in blocks]
    output = np.repeat(np.arange(len(blocks)) * rows, lengths)[:, None] + np.arange(rows)
    word = np.take_along_axis(steps.bank_words, channel % BANKS, axis=1)
    weight = weights.weight[np.minimum(output, len(weights.weight) - 1), channel, word].astype(np.int64)
    weight[idle] = 0
    end_of_pass = np.zeros(len(steps), dtype=bool)
    end_of_pass[np.cumsum(lengths) - 1] = True
    return StepTable(steps, weight, end_of_pass)
