"""Steps of words: all rows on the same one, with one address for all banks or an address per bank."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.packer import Settings, pack
from hw.compile.schedule.steps import Steps
from hw.contract.config import BANKS

SETTINGS = (
    Settings(),
    Settings(completion=12.0, completion_rows=1.5),
    Settings(urgency=0.3, completion_rows=4.0),
    Settings(urgency=1.0, completion=8.0, completion_rows=2.0),
)
"""Tried in turn, all but the first on small words only: in large ones they gain 0.2 % of the steps."""

SMALL_WORD = 64 * 64
"""Rows × channels of a small word."""

TOGETHER = 32
"""Words packed at a time: alike in length, and few enough for the processor's caches."""


def shared(mask: NDArray[np.bool_]) -> Steps:
    """Steps with one address for all banks, for the ``mask`` (N, channels) of one word."""
    rows, channels = mask.shape
    groups: list[int] = []
    picks: list[NDArray[np.int64]] = []
    for g in range(-(-channels // BANKS)):
        part = mask[:, g * BANKS : (g + 1) * BANKS]
        # Kept channels first, in channel order: column s is what step s of the group multiplies.
        order = np.argsort(~part, axis=1, kind="stable") + g * BANKS
        counts = part.sum(axis=1)
        for s in range(int(counts.max(initial=0))):
            groups.append(g)
            picks.append(np.where(counts > s, order[:, s], -1))
    if not groups:
        return Steps.of_word(np.zeros((0, BANKS), np.int64), np.zeros((0, rows), np.int64))
    return Steps.of_word(np.repeat(np.array(groups)[:, None], BANKS, axis=1), np.array(picks))


def shared_steps(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(...): how many steps :func:`shared` takes for ``masks`` (..., N, channels)."""
    starts = np.arange(0, masks.shape[-1], BANKS)
    per_group = np.add.reduceat(masks, starts, axis=-1, dtype=np.int64)  # (..., N, groups)
    steps: NDArray[np.int64] = per_group.max(axis=-2).sum(axis=-1)
    return steps


def lower_bound(mask: NDArray[np.bool_]) -> int:
    """Steps no schedule can go below: the busiest row of ``mask`` (N, channels)."""
    return int(mask.sum(axis=1).max(initial=0))


def pack_words(masks: NDArray[np.bool_] | Sequence[NDArray[np.bool_]]) -> list[Steps]:
    """Steps for each of ``masks`` (words, N, channels), whatever their order.

    Never more than with :func:`shared`; on random ``kernel`` masks with 64 rows and at least 64 channels as
    many as the busiest row has products.
    """
    masks = np.asarray(masks)
    lengths = shared_steps(masks)
    busiest = masks.sum(axis=2).max(axis=1, initial=0)
    best: dict[int, Steps] = {}
    small = masks[0].size <= SMALL_WORD
    for settings in SETTINGS if small else SETTINGS[:1]:
        waste = np.flatnonzero(lengths > busiest)
        waste = waste[busiest[waste].argsort(kind="stable")]
        for start in range(0, len(waste), TOGETHER):
            chosen = waste[start : start + TOGETHER]
            packed = pack(masks[chosen][:, None], settings)
            for b, i in enumerate(chosen):
                length = packed.length[b]
                if length < lengths[i]:
                    lengths[i] = length
                    best[int(i)] = Steps.of_word(packed.group[b, :length], packed.channel[b, :length])
    return [best[i] if i in best else shared(mask) for i, mask in enumerate(masks)]


def per_bank(mask: NDArray[np.bool_]) -> Steps:
    """Steps for the ``mask`` (N, channels) of one word; for many words :func:`pack_words` is faster."""
    return pack_words(mask[None])[0]
