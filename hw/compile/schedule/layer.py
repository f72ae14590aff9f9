"""A layer's blocks of rows, and the ways to schedule them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.bank_schedule import pack_words, shared
from hw.compile.schedule.rows import run_ahead
from hw.compile.schedule.steps import Steps, one_after_another
from hw.contract.config import drain_rows

GAIN = 0.95
"""A layer leaves one address for all banks only where that leaves at most this share of the clocks."""

FEW_PRODUCTS = 1 << 19
"""Masks of fewer products are scheduled before other processes have even started."""


@dataclass(frozen=True)
class LayerBlocks:
    """masks (blocks, N, channels, words): the kept products; rows that a short last block lacks are empty.
    valid (blocks,): rows it has. dot: one sum for all words of a row."""

    masks: NDArray[np.bool_]
    valid: tuple[int, ...]
    dot: bool

    @property
    def rows(self) -> int:
        """N."""
        return int(self.masks.shape[1])

    @property
    def drains(self) -> list[int]:
        """Clocks in which a word of each block is drained; in dot mode no word but the last one is."""
        return [1 if self.dot else -(-valid // drain_rows(self.rows)) for valid in self.valid]

    def clocks(self, blocks: Sequence[Steps]) -> int:
        """Clocks of one tile group."""
        return sum(block.clocks(drain) for block, drain in zip(blocks, self.drains, strict=True))

    def valid_words(self, block: int) -> NDArray[np.int64]:
        """Words that cost steps: those with products, and word 0 of a convolution, which brings the bias."""
        used = self.masks[block].any(axis=(0, 1))
        used[0] |= not self.dot
        return np.flatnonzero(used)


def layer_blocks(mask: NDArray[np.bool_], rows: int, *, dot: bool) -> LayerBlocks:
    """Blocks of N = ``rows`` outputs of ``mask`` (out, channels, words)."""
    out = len(mask)
    blocks = -(-out // rows)
    masks = np.zeros((blocks * rows, *mask.shape[1:]), dtype=bool)
    masks[:out] = mask
    valid = tuple(min(rows, out - b * rows) for b in range(blocks))
    return LayerBlocks(masks.reshape(blocks, rows, *mask.shape[1:]), valid, dot)


def shared_blocks(layer: LayerBlocks) -> list[Steps]:
    """One address for all banks."""
    return _word_by_word(layer, lambda masks: [shared(mask) for mask in masks])


def packed_blocks(layer: LayerBlocks) -> list[Steps]:
    """An address per bank, all rows on the same word."""
    return _word_by_word(layer, pack_words)


def fastest_blocks(layer: LayerBlocks, packed: Sequence[Steps]) -> list[Steps]:
    """For every block what takes fewer clocks: ``packed``, or rows that run ahead. In dot mode there is
    nothing to run ahead to."""
    if layer.dot:
        return list(packed)
    choices = zip(packed, _ahead(layer), layer.drains, strict=True)
    return [min(block, other, key=lambda steps: steps.clocks(drain)) for block, other, drain in choices]


def pays(layer: LayerBlocks, fastest: Sequence[Steps], plain: Sequence[Steps]) -> bool:
    """Whether ``fastest`` gains enough on ``plain``, the steps with one address for all banks."""
    return layer.clocks(fastest) <= GAIN * layer.clocks(plain)


def useful_processes(masks: Iterable[NDArray[np.bool_]], processes: int) -> int:
    """``processes``, or 1 where ``masks`` are too small for several to be of use."""
    return processes if sum(int(mask.sum()) for mask in masks) >= FEW_PRODUCTS else 1


def fewest_clocks(layer: LayerBlocks) -> int:
    """Clocks no schedule can go below: the busiest row of every block, and its drain."""
    total = 0
    for block, drain in enumerate(layer.drains):
        words = layer.valid_words(block)
        counts = layer.masks[block][: layer.valid[block], :, words].sum(axis=1)  # (valid, words)
        if layer.dot:
            total += int(counts.max(axis=0, initial=0).sum())
        else:
            total += max(int(np.maximum(counts, 1).sum(axis=1).max()), drain * len(words))
    return total


def _word_by_word(layer: LayerBlocks, pack: Callable[[NDArray[np.bool_]], Sequence[Steps]]) -> list[Steps]:
    """``pack`` gets the masks (words, N, channels) of all words of all blocks at once.

    The word with fewest steps comes first: one shorter than its drain makes the next one wait, but a pass
    that had to wait for its spectra finds the drain idle.
    """
    by_word = layer.masks.transpose(0, 3, 1, 2)  # (blocks, words, N, channels)
    words = by_word.shape[1]
    steps = pack(by_word.reshape(-1, *by_word.shape[2:]))
    found = []
    for block in range(len(layer.masks)):
        own = [(int(word), steps[block * words + word]) for word in layer.valid_words(block)]
        if not layer.dot:
            own.insert(0, own.pop(min(range(len(own)), key=lambda i: len(own[i][1]))))
        found.append(one_after_another(own, layer.rows, dot=layer.dot))
    return found


def _ahead(layer: LayerBlocks) -> list[Steps]:
    """Blocks alike in words and rows are packed together."""
    alike: dict[tuple[int, ...], list[int]] = {}
    for block, valid in enumerate(layer.valid):
        alike.setdefault((valid, *layer.valid_words(block).tolist()), []).append(block)
    found: dict[int, Steps] = {}
    for (valid, *words), blocks in alike.items():
        names = np.array(words)
        masks = layer.masks[np.array(blocks)][:, :valid, :, names]
        for block, steps in zip(blocks, run_ahead(masks, drain=layer.drains[blocks[0]]), strict=True):
            found[block] = _renamed(steps, names, layer.rows)
    return [found[block] for block in range(len(layer.valid))]


def _renamed(steps: Steps, names: NDArray[np.int64], rows: int) -> Steps:
    """``steps`` of words that are called ``names``, for the first of N = ``rows`` rows.

    The other rows are those that a short block lacks: they idle, and end with the word.
    """
    served = steps.channel.shape[1]
    channel = np.full((len(steps), rows), -1, np.int64)
    channel[:, :served] = steps.channel
    end = np.repeat(steps.end_of_word[:, None], rows, axis=1)
    end[:, :served] = steps.end
    return replace(steps, word=names[steps.word], next_word=names[steps.next_word], channel=channel, end=end)
