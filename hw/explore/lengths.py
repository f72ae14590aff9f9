"""Step tables that hold no weights: how long every spectral word of every block of outputs is.

Two sources. *Uniform*: a share of the words stays and all words are equally long. *Exact*: a model's masks,
counted as the compiler schedules them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.steps import Steps
from hw.compile.step_table import StepTable
from hw.contract.artifact import LayerWeights
from hw.contract.config import BANKS
from hw.contract.network import Conv, Layer, Shape
from hw.contract.spectrum import WORDS
from hw.util.errors import ConfigError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Density:
    """``keep`` of every ``group`` words stay: of each spectral word, over input channels.

    Raises ``ConfigError`` unless 0 < keep <= group.
    """

    keep: float = 2
    group: int = 8

    def __post_init__(self) -> None:
        if not 0 < self.keep <= self.group:
            raise ConfigError(
                f"keep must be more than 0 and at most the group of {self.group}, not {self.keep:g}: "
                "it counts the input channels of a group that stay"
            )

    @property
    def share(self) -> float:
        """Words that stay, 0..1."""
        return self.keep / self.group


def uniform_lengths(layer: Layer, shape: Shape, rows: int, share: float) -> Ints:
    """(blocks, words) steps when ``share`` of a layer's words stay, for an input of ``shape``.

    Words of a block differ by a step at most, and none is empty. A fully connected layer is one word. A map
    that is added keeps one channel for every output: a step per word for each group that has some of them.
    """
    if not layer.dot and layer.groups > 1:
        return _connected_lengths(layer, rows, share)
    used: NDArray[np.bool_] = np.any(layer.used_parts(shape), axis=2)
    words = WORDS if layer.transformed else 1
    added = layer.outputs if layer.added else 0
    steps = max(words, int(np.ceil(share * used[: len(used) - added].sum())))
    block = np.diff(np.arange(words + 1) * steps // words)
    lengths = np.tile(block, (-(-layer.outputs // rows), 1))
    if added:
        first = len(used) - added + np.arange(0, added, rows)
        last = np.minimum(first + rows, len(used)) - 1
        lengths += (last // BANKS - first // BANKS + 1)[:, None]
    return lengths


def _connected_lengths(layer: Conv, rows: int, share: float) -> Ints:
    """The same where not all channels are connected: a share of the convolved words stays, what is added
    stays whole, and so do the words of groups of less than the banks' channels; an average is one word."""
    connected, own = layer.connected, layer.convolved
    share = share if own // layer.groups >= BANKS else 1.0
    length = np.zeros(-(-layer.outputs // rows), np.int64)
    for part, stays in ((connected[:, :own], share), (connected[:, own:], 1.0)):
        if part.shape[1]:
            counts = np.add.reduceat(part, np.arange(0, part.shape[1], BANKS), axis=1, dtype=np.int64)
            busiest = np.maximum.reduceat(counts, np.arange(0, len(counts), rows), axis=0)
            length += np.ceil(stays * busiest).astype(np.int64).sum(axis=1)
    lengths = np.repeat(np.maximum(length, 1)[:, None], WORDS if layer.transformed else 1, axis=1)
    if layer.average:
        lengths[:, 1:] = 0
    return lengths


def group_counts(weights: LayerWeights) -> Ints:
    """(out, groups, words) products of every output with every group of channels that the banks deliver."""
    mask = weights.mask
    return np.add.reduceat(mask, np.arange(0, mask.shape[1], BANKS), axis=1, dtype=np.int64)


def exact_lengths(counts: Ints, rows: int, *, dot: bool) -> Ints:
    """(blocks, words) steps of n:m masks of these :func:`group_counts`, as
    :func:`hw.compile.schedule.bank_schedule.shared` takes them: in each group as many as the busiest row
    needs."""
    busiest = np.maximum.reduceat(counts, np.arange(0, len(counts), rows), axis=0)
    lengths: Ints = busiest.sum(axis=1)
    return lengths.sum(axis=1, keepdims=True) if dot else lengths


def lengths_of(table: StepTable) -> StepTable:
    """The lengths of masks that are not n:m, which have to be scheduled to know them."""
    return _table(table.end_of_word, table.end_of_pass, ahead=table.steps.ahead)


def lengths_table(lengths: Ints) -> StepTable:
    """A table of ``lengths`` (blocks, words): a word of no steps is not valid, but for the first one,
    which takes one step at least; the shortest word leads (:mod:`hw.compile.schedule.layer`)."""
    valid = lengths > 0
    valid[:, 0] = True
    shortest = np.where(valid, lengths, lengths.max() + 1).argmin(axis=1)
    lengths = lengths.copy()
    lengths[:, 0] = np.maximum(lengths[:, 0], 1)
    later = np.arange(lengths.shape[1]) != shortest[:, None]
    lengths = np.take_along_axis(lengths, np.argsort(later, axis=1, kind="stable"), axis=1)
    end_of_word, end_of_pass = np.zeros((2, int(lengths.sum())), bool)
    end_of_word[np.cumsum(lengths) - 1] = True
    end_of_pass[np.cumsum(lengths.sum(axis=1)) - 1] = True
    return _table(end_of_word, end_of_pass, ahead=False)


def longest_word(table: StepTable) -> int:
    """Steps of the longest word: no row sums more products."""
    return int(np.diff(np.flatnonzero(table.end_of_word), prepend=-1).max())


def _table(end_of_word: NDArray[np.bool_], end_of_pass: NDArray[np.bool_], *, ahead: bool) -> StepTable:
    """A table of no rows; what it does not know takes no memory."""
    count = len(end_of_word)
    steps = Steps.in_step(
        word=np.broadcast_to(np.int64(0), (count,)),
        groups=np.broadcast_to(np.int64(0), (count, BANKS)),
        channel=np.zeros((count, 0), np.int64),
        end_of_word=end_of_word,
    )
    return StepTable(replace(steps, ahead=ahead), np.zeros((count, 0, 2), np.int64), end_of_pass)
