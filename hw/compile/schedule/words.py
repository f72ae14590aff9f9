"""Steps with an address per bank, all rows on the same word."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hw.compile.schedule.packer import Settings, pack
from hw.compile.schedule.steps import Steps, shared, shared_steps

SETTINGS = (
    Settings(),
    Settings(completion=12.0, completion_rows=1.5),
    Settings(urgency=0.3, completion_rows=4.0),
    Settings(urgency=1.0, completion=8.0, completion_rows=2.0),
)
"""Tried in turn, all but the first on small words only: in large ones they gain 0.2 % of the steps."""

SMALL_WORD = 64 * 64
"""Rows × channels of a small word."""

SIDE_BY_SIDE = 32
"""Words packed at a time: alike in length, and few enough for the processor's caches."""


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
        for start in range(0, len(waste), SIDE_BY_SIDE):
            some = waste[start : start + SIDE_BY_SIDE]
            packed = pack(masks[some][:, None], settings)
            for b, i in enumerate(some):
                length = packed.length[b]
                if length < lengths[i]:
                    lengths[i] = length
                    best[int(i)] = Steps(packed.group[b, :length], packed.channel[b, :length])
    return [best[i] if i in best else shared(mask) for i, mask in enumerate(masks)]


def per_bank(mask: NDArray[np.bool_]) -> Steps:
    """Steps for the ``mask`` (N, channels) of one word; for many words :func:`pack_words` is faster."""
    return pack_words(mask[None])[0]
