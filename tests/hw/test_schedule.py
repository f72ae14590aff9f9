"""Schedules of any mask: every kept product exactly once, no bank read twice, no row used twice."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.config import BANKS
from hw.schedule import lower_bound, per_bank, shared

masks = st.tuples(st.integers(1, 12), st.integers(1, 40), st.floats(0, 1), st.integers(0, 2**32 - 1)).map(
    lambda a: np.random.default_rng(a[3]).random((a[0], a[1])) < a[2]
)


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
    assert len(per_bank(mask)) <= len(shared(mask))


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
