"""Schedules of any mask: every kept product exactly once, no bank read twice, no row used twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.schedule import form_blocks, lower_bound, pack_words, per_bank, shared
from hw.compile.schedule.bank_schedule import shared_steps
from hw.contract.config import BANKS

masks = st.tuples(st.integers(1, 12), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1)).map(
    lambda a: np.random.default_rng(a[3]).random((a[0], a[1])) < a[2]
)


def kernel_masks(out: int, channels: int, seed: int) -> np.ndarray:
    """(out, channels, 32): every kernel keeps 8 of its 32 words, drawn at random."""
    return np.random.default_rng(seed).random((out, channels, 32)).argsort(axis=-1) < 8


@pytest.mark.parametrize("pack", [shared, per_bank])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(mask=masks)
def test_covers_every_product_once(pack, mask):
    steps = pack(mask)
    done = np.zeros_like(mask, dtype=int)
    for groups, channel in zip(steps.groups, steps.channel, strict=True):
        for row, c in enumerate(channel):
            if c >= 0:
                assert groups[c % BANKS] == c // BANKS  # the bank really delivers this channel
                done[row, c] += 1
    assert (done == mask).all()
    assert len(steps) >= lower_bound(mask)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(mask=masks)
def test_per_bank_needs_no_more_steps_than_shared(mask):
    assert len(per_bank(mask)) <= len(shared(mask)) == shared_steps(mask)


@pytest.mark.parametrize("n", range(9))
def test_n_of_8_masks_waste_nothing(n):
    rng = np.random.default_rng(n)
    mask = rng.random((16, 5, 8)).argsort(axis=-1) < n
    steps = shared(mask.reshape(16, 40))
    assert len(steps) == 5 * n
    assert (steps.channel >= 0).all()


def test_per_bank_reaches_the_bound_on_a_mask_made_for_it():
    """Rows that each want one channel of a different bank, in different groups: one step."""
    mask = np.zeros((8, 64), dtype=bool)
    mask[np.arange(8), np.arange(8) * 8 + np.arange(8)] = True
    assert len(per_bank(mask)) == 1
    assert len(shared(mask)) == 8


def test_words_do_not_disturb_one_another():
    """Packed side by side, in whatever order and company, words get the steps they get alone."""
    rng = np.random.default_rng(4)
    words = [rng.random((8, 24)) < density for density in (0.2, 0.8, 0.0, 0.5, 1.0, 0.4)]
    alone = [per_bank(mask) for mask in words]
    for order in (range(6), (3, 5, 1, 0, 2, 4)):
        together = pack_words([words[i] for i in order])
        for steps, i in zip(together, order, strict=True):
            assert (steps.groups == alone[i].groups).all()
            assert (steps.channel == alone[i].channel).all()


@pytest.mark.parametrize("channels", [64, 128])
def test_kernel_masks_meet_the_busiest_row(channels):
    """On random ``kernel`` masks nothing is left to gain while all rows share a word."""
    mask = kernel_masks(64, channels, seed=0).transpose(2, 0, 1)
    steps = sum(len(steps) for steps in pack_words(mask))
    assert steps <= 1.005 * sum(lower_bound(word) for word in mask)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.integers(1, 40), st.sampled_from([4, 8, 16]), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_blocks_are_a_permutation_and_never_worse(out, rows, seed, high):
    counts = np.random.default_rng(seed).integers(0, high, (out, 5))
    order = form_blocks(counts, rows, seed=seed)
    assert sorted(order) == list(range(out))
    assert bound(counts[order], rows) <= bound(counts, rows)
    again = counts[order]
    assert bound(again[form_blocks(again, rows, seed=1)], rows) <= bound(again, rows)


def test_busy_channels_share_a_block():
    """Two channels that are busy in the same word cost its steps once, not twice."""
    counts = np.ones((32, 3), int)
    counts[[5, 25], 1] = 9
    assert bound(counts, 8) == 4 * 3 + 8 + 8
    assert bound(counts[form_blocks(counts, 8)], 8) == 4 * 3 + 8


def bound(counts: np.ndarray, rows: int) -> int:
    return sum(int(counts[n : n + rows].max(axis=0).sum()) for n in range(0, len(counts), rows))
