"""Schedules executed as the array would, register by register, against dense arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.schedule import Steps, pack_words, run_ahead, shared
from hw.compile.schedule.rows import word_order
from hw.compile.step_table import StepTable, step_table
from hw.contract.artifact import LayerWeights
from hw.contract.config import BANKS, drain_rows
from hw.contract.spectrum import WORDS

LARGEST = 2**15 - 1


@st.composite
def layers(draw) -> np.ndarray:
    """Masks (rows, channels, words) whose words are dense, empty, or anything between."""
    rows, channels, words = (
        draw(st.sampled_from([4, 8, 16])),
        draw(st.integers(1, 34)),
        draw(st.integers(1, 7)),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    density = rng.choice([0, 0.05, 0.25, 0.5, 1], (words,))
    mask = rng.random((rows, channels, words)) < density
    mask[rng.random(rows) < draw(st.sampled_from([0, 0, 0.3, 0.9]))] = False  # idle rows, as in a short block
    return mask


def operands(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Spectra (channels, words), weights (rows, channels, words), and their sums (rows, words)."""
    rng = np.random.default_rng(mask.sum())
    x = rng.integers(-LARGEST, LARGEST, mask.shape[1:])
    weight = rng.integers(1, LARGEST, mask.shape) * rng.choice([-1, 1], mask.shape) * mask
    return x, weight, np.einsum("cw,ncw->nw", x, weight)


def execute_word(steps: Steps, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """All rows on one word: a sum (rows,) of one word, from x (channels,) and weight (rows, channels)."""
    total = np.zeros(len(weight), np.int64)
    for groups, channel in zip(steps.groups, steps.channel, strict=True):
        for row in np.flatnonzero(channel >= 0):
            bank = channel[row] % BANKS
            total[row] += x[groups[bank] * BANKS + bank] * weight[row, channel[row]]
    return total


def execute_block(steps: Steps, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Rows that run ahead: sums (rows, words), each from the register that holds it when its word moves on.

    A row's first product after an end replaces its sum; an end copies the sum to the row's held sum. Nothing
    here checks the rules of :mod:`hw.compile.schedule.rows`: where they are broken the sums are wrong.
    """
    rows, _, words = weight.shape
    total, held = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
    out = np.zeros((rows, words), np.int64)
    moved = []
    for t in range(len(steps)):
        for row in range(rows):
            c = steps.channel[t, row]
            if c >= 0:
                bank = c % BANKS
                word = steps.bank_words[t, bank]
                total[row] += x[steps.groups[t, bank] * BANKS + bank, word] * weight[row, c, word]
            if steps.end[t, row]:
                held[row], total[row] = total[row], 0
        if steps.end_of_word[t]:
            out[:, steps.word[t]] = held
            moved.append(int(steps.word[t]))
    assert sorted(moved) == list(range(words))
    return out


@pytest.mark.parametrize("pack", [pack_words, lambda masks: [shared(mask) for mask in masks]])
@settings(max_examples=100, deadline=None, derandomize=True)
@given(mask=layers())
def test_words_are_computed_exactly(pack, mask):
    x, weight, expected = operands(mask)
    for w, steps in enumerate(pack(mask.transpose(2, 0, 1))):
        assert (execute_word(steps, x[:, w], weight[:, :, w]) == expected[:, w]).all()


@settings(max_examples=150, deadline=None, derandomize=True)
@given(mask=layers())
def test_blocks_that_run_ahead_are_computed_exactly(mask):
    x, weight, expected = operands(mask)
    (steps,) = run_ahead(mask[None])
    assert (execute_block(steps, x, weight) == expected).all()
    assert (steps.end.sum(axis=0) == mask.shape[2]).all()


def execute_table(table: StepTable, x: np.ndarray, rows: int) -> dict[int, np.ndarray]:
    """The array on a step table of one block: sums (rows, 2) of every word as the drain finds them.

    x (channels, words): real spectra, so that a weight's two parts make two sums.
    """
    ahead = table.as_run_ahead
    total, held = np.zeros((rows, 2), np.int64), np.zeros((rows, 2), np.int64)
    first, out = np.ones(rows, dtype=bool), {}
    for t in range(len(table)):
        total[first] = 0
        for row in range(rows):
            bank = table.select[t, row]
            word = ahead.next_word[t] if ahead.of_next[t, bank] else table.word[t]
            channel = table.groups[t, bank] * BANKS + bank
            if table.weight[t, row].any():  # a zero may be of any channel
                total[row] += x[channel, word] * table.weight[t, row]
        held[ahead.end[t]] = total[ahead.end[t]]
        first = ahead.end[t]
        if table.end_of_word[t]:
            assert table.word[t] not in out
            out[int(table.word[t])] = held.copy()
    return out


@pytest.mark.parametrize("dot", [False, True])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(mask=layers())
def test_step_tables_are_computed_exactly(dot, mask):
    """What the compiler hands to the array, whichever way it chose."""
    rows, channels, words = mask.shape
    x, weight, _ = operands(mask)
    both = np.stack([weight, -3 * weight], -1)
    none = np.zeros(rows, np.int64)
    padded = np.zeros((rows, channels, WORDS, 2), np.int64)
    padded[:, :, :words] = both
    table = step_table(LayerWeights(padded, none, none), rows, dot=dot)
    found = execute_table(table, x, rows)
    sums = np.einsum("cw,ncwp->wnp", x, both)
    if dot:
        ((_, only),) = found.items()
        assert (only == sums.sum(axis=0)).all()
    else:
        for word in range(words):
            assert (found.get(word, 0) == sums[word]).all()
        assert 0 in found
    assert table.end_of_pass.tolist() == [False] * (len(table) - 1) + [True]
    assert table.as_run_ahead.end.sum() == rows * len(found)


def test_several_blocks_and_a_large_one():
    masks = np.random.default_rng(3).random((3, 16, 40, 32)).argsort(axis=-1) < 8
    for mask, steps in zip(masks, run_ahead(masks), strict=True):
        x, weight, expected = operands(mask)
        assert (execute_block(steps, x, weight) == expected).all()
        # The drain never makes a step wait, and the rows really are on two words at a time.
        assert np.diff(np.flatnonzero(steps.end_of_word)).min() >= 16 // drain_rows(16)
        assert any(len(set(words)) == 2 for words in steps.bank_words)


def test_n_of_8_masks_keep_all_rows_on_one_word():
    mask = (np.random.default_rng(2).random((8, 3, 8, 4)).argsort(axis=2) < 2).reshape(8, 24, 4)
    (steps,) = run_ahead(mask[None])
    assert len(steps) == 4 * 3 * 2
    assert (steps.end == steps.end_of_word[:, None]).all()
    x, weight, expected = operands(mask)
    assert (execute_block(steps, x, weight) == expected).all()


def test_the_same_mask_gives_the_same_steps():
    masks = np.random.default_rng(5).random((2, 8, 24, 6)) < 0.3
    for one, two in zip(run_ahead(masks), run_ahead(masks), strict=True):
        assert (one.channel == two.channel).all()


@settings(max_examples=40, deadline=None, derandomize=True)
@given(words=st.integers(1, 9), data=st.data())
def test_orders_hold_every_word_once(words, data):
    counts = np.random.default_rng(words).integers(0, 50, (8, words))
    first = data.draw(st.integers(0, words - 1))
    order = word_order(counts, first)
    assert sorted(order) == list(range(words))
    assert order[0] == counts.sum(axis=0).argsort(kind="stable")[first]
