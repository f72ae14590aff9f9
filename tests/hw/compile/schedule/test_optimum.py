"""Schedules of small masks against the fewest steps there are, found by integer programming (HiGHS).

Where rows differ, as in pruned networks, the busiest row decides, and all 60 words take the optimum. Where
every row keeps as much the banks decide: 72 words take 0.42 steps too many on average, of 4.3.
"""

import itertools
from functools import partial

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from hw.compile.schedule import lower_bound, pack_words, run_ahead
from hw.contract.config import BANKS

LEVEL = [(6, 24, 4), (8, 32, 4), (12, 32, 4), (16, 32, 4), (24, 16, 3), (12, 48, 3)]
"""Rows, channels, and how many of them every row keeps."""

RANDOM = [(4, 24, 0.3), (8, 16, 0.3), (12, 24, 0.2), (16, 16, 0.25), (8, 40, 0.15)]
"""Rows, channels, density."""


def feasible(size: int, rules: list[tuple[dict[int, int], int, int]]) -> bool:
    """Whether ``size`` binary variables can meet all rules: (coefficients, least, most)."""
    matrix = lil_matrix((len(rules), size))
    for i, (row, _, _) in enumerate(rules):
        for variable, factor in row.items():
            matrix[i, variable] = factor
    least, most = ([rule[k] for rule in rules] for k in (1, 2))
    found = milp(
        np.zeros(size),
        constraints=LinearConstraint(matrix.tocsr(), least, most),
        integrality=np.ones(size),
        bounds=Bounds(0, 1),
        options={"time_limit": 120},
    )
    assert found.status in (0, 2), found.message  # solved, or proven to have no solution
    return found.status == 0


class Variables(dict):
    """Numbers the variables in the order in which they are named."""

    def __missing__(self, name):
        self[name] = len(self)
        return self[name]


def fits(mask: np.ndarray, steps: int) -> bool:
    """Whether ``mask`` (N, channels) of one word can be done in ``steps`` steps."""
    v, rules = Variables(), []
    products = [(int(n), int(c)) for n, c in np.argwhere(mask)]
    for t in range(steps):
        for k in range(BANKS):
            rules.append(({v["read", c, t]: 1 for c in range(k, mask.shape[1], BANKS)}, 0, 1))
        for n in range(len(mask)):
            rules.append(({v["do", m, c, t]: 1 for m, c in products if m == n}, 0, 1))
        for n, c in products:
            rules.append(({v["do", n, c, t]: 1, v["read", c, t]: -1}, -1, 0))
    for n, c in products:
        rules.append(({v["do", n, c, t]: 1 for t in range(steps)}, 1, 1))
    # Steps may be exchanged: let the busiest row take its channels in order.
    busiest = int(mask.sum(axis=1).argmax())
    for t, c in enumerate(np.flatnonzero(mask[busiest])):
        rules.append(({v["do", busiest, int(c), t]: 1}, 1, 1))
    return feasible(len(v), [rule for rule in rules if rule[0]])


def fits_ahead(masks: np.ndarray, steps: int) -> bool:
    """Whether two words, ``masks`` (N, channels, 2), in this order, can be done when rows run ahead.

    ``on[n, t]``: row n has completed the first word before step t. ``last[n, t]``: it does a product of the
    second word in step t, and by then all rows are on that word; every row needs such a step.
    """
    v, rules = Variables(), []
    rows, channels, _ = masks.shape
    products = [(int(n), int(c), int(w)) for n, c, w in np.argwhere(masks)]
    for t in range(steps):
        for k in range(BANKS):
            bank = range(k, channels, BANKS)
            rules.append(({v["read", c, w, t]: 1 for c in bank for w in range(2)}, 0, 1))
        for n in range(rows):
            own = [v["do", *p, t] for p in products if p[0] == n]
            rules.append((dict.fromkeys(own, 1), 0, 1))
            if t:
                rules.append(({v["on", n, t]: 1, v["on", n, t - 1]: -1}, 0, 1))
            second = {v["do", *p, t]: -1 for p in products if p[0] == n and p[2]}
            rules.append(({v["last", n, t]: 1, **second}, -steps, 0))
            for m in range(rows):
                rules.append(({v["last", n, t]: 1, v["on", m, t]: -1}, -1, 0))
        for n, c, w in products:
            rules.append(({v["do", n, c, w, t]: 1, v["read", c, w, t]: -1}, -1, 0))
            before, on = v["do", n, c, w, t], v["on", n, t]
            rules.append(({before: 1, on: -1}, -1, 0) if w else ({before: 1, on: 1}, 0, 1))
    for p in products:
        rules.append(({v["do", *p, t]: 1 for t in range(steps)}, 1, 1))
    for n in range(rows):
        rules.append(({v["last", n, t]: 1 for t in range(steps)}, 1, steps))
    return feasible(len(v), [rule for rule in rules if rule[0]])


def fewest(fit, start: int) -> int:
    """The smallest number of steps, from ``start`` on, that fits."""
    return next(steps for steps in itertools.count(start) if fit(steps))


def excess(masks: np.ndarray) -> np.ndarray:
    """Steps above the optimum, for ``masks`` (words, N, channels)."""
    optimum = [fewest(partial(fits, mask), lower_bound(mask)) for mask in masks]
    return np.array([len(steps) for steps in pack_words(masks)]) - optimum


@pytest.mark.parametrize("rows, channels, keep", LEVEL)
def test_words_whose_rows_are_alike(rows, channels, keep):
    over = excess(np.random.default_rng(rows).random((12, rows, channels)).argsort(axis=-1) < keep)
    assert over.min() >= 0
    assert over.max() <= 2
    assert over.mean() < 1


@pytest.mark.parametrize("rows, channels, density", RANDOM)
def test_words_whose_rows_differ(rows, channels, density):
    over = excess(np.random.default_rng(rows).random((12, rows, channels)) < density)
    assert over.min() >= 0
    assert over.sum() <= 1


@pytest.mark.parametrize("rows, density", [(4, 0.3), (8, 0.2)])
def test_running_ahead_is_close_to_the_optimum(rows, density):
    """Two words; their order is free."""
    rng = np.random.default_rng(rows)
    masks = rng.random((10, rows, 16, 2)) < density
    masks[:, :, :1] |= ~masks.any(axis=2, keepdims=True)  # no row without a product in a word
    lengths = np.array([len(steps) for steps in run_ahead(masks)])
    busiest = masks.sum(axis=(2, 3)).max(axis=1)
    optimum = np.array(
        [
            min(fewest(partial(fits_ahead, m), start) for m in (mask, mask[..., ::-1]))
            for mask, start in zip(masks, busiest, strict=True)
        ]
    )
    assert (lengths >= optimum).all()
    assert lengths.sum() <= 1.05 * optimum.sum()
