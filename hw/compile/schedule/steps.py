"""Steps of one word of one block, and those with one address for all banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.contract.config import BANKS


@dataclass(frozen=True)
class Steps:
    """The steps of one word of one block, in order.

    groups: (T, 8) channel group every bank reads. channel: (T, N) input channel every row
    multiplies, or -1 where the row idles.
    """

    groups: NDArray[np.int64]
    channel: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.groups)


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
        return Steps(np.zeros((0, BANKS), np.int64), np.zeros((0, rows), np.int64))
    return Steps(np.repeat(np.array(groups)[:, None], BANKS, axis=1), np.array(picks))


def shared_steps(masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(...): how many steps :func:`shared` takes for ``masks`` (..., N, channels)."""
    starts = np.arange(0, masks.shape[-1], BANKS)
    per_group = np.add.reduceat(masks, starts, axis=-1, dtype=np.int64)  # (..., N, groups)
    steps: NDArray[np.int64] = per_group.max(axis=-2).sum(axis=-1)
    return steps


def lower_bound(mask: NDArray[np.bool_]) -> int:
    """Steps no schedule can go below: the busiest row of ``mask`` (N, channels)."""
    return int(mask.sum(axis=1).max(initial=0))
