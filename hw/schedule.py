"""From masks to steps: which input channels the array multiplies in which clock.

A *step* reads one word of one input channel from each of 8 banks (channel mod 8); every row picks
at most one of the eight and multiplies it by its weight. Steps of one word follow each other, so
that a row's sum stays in one register.

* ``shared`` addressing: all banks read the same group of 8 consecutive channels. A group costs as
  many steps as its busiest row keeps channels: for n:m masks that is n, and nothing is wasted.
* ``per_bank`` addressing: each bank reads a group of its own. Any mask is then packed greedily: each
  step takes, bank by bank, the channel that serves most waiting rows, rows with more channels left
  counting more (they bound the number of steps from below). After SPEC2, arXiv:1910.11103, and the
  exact-cover scheduling of arXiv:2310.10902, which packs replicas of one memory instead of banks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.config import BANKS


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


def per_bank(mask: NDArray[np.bool_]) -> Steps:
    """Steps with an address per bank, for the ``mask`` (N, channels) of one word: greedy packing."""
    rows, channels = mask.shape
    groups = -(-channels // BANKS)
    left = np.zeros((rows, groups, BANKS), dtype=bool)
    left.reshape(rows, -1)[:, :channels] = mask
    out_groups: list[NDArray[np.int64]] = []
    out_picks: list[NDArray[np.int64]] = []
    while left.any():
        # A row with one channel more left outweighs any number of rows with fewer.
        remaining = left.sum(axis=(1, 2))
        weight = (rows + 1.0) ** (remaining - remaining.max())
        address = np.zeros(BANKS, np.int64)
        pick = np.full(rows, -1, np.int64)
        free_bank = np.ones(BANKS, dtype=bool)
        for _ in range(BANKS):
            waiting = np.where(pick < 0, weight, 0.0)
            gain = np.tensordot(waiting, left, axes=1) * free_bank
            g, bank = np.unravel_index(int(gain.argmax()), gain.shape)
            if gain[g, bank] == 0:
                break
            served = left[:, g, bank] & (pick < 0)
            pick[served] = g * BANKS + bank
            left[served, g, bank] = False
            address[bank] = g
            free_bank[bank] = False
        out_groups.append(address)
        out_picks.append(pick)
    if not out_groups:
        return Steps(np.zeros((0, BANKS), np.int64), np.zeros((0, rows), np.int64))
    return Steps(np.array(out_groups), np.array(out_picks))


def lower_bound(mask: NDArray[np.bool_]) -> int:
    """Steps no schedule can go below: the busiest row of ``mask`` (N, channels)."""
    return int(mask.sum(axis=1).max(initial=0))
