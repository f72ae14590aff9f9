"""Row weights against the table of modes: factors of every row, a group a clock after the one before."""

import numpy as np
import pytest

from hw.contract.packed_products import LongestSums, PackedProducts
from hw.gateware.datapath.row_weights import Mode, RowWeights

BITS, ROWS, GROUP = 5, 6, 2
PACKED = PackedProducts(BITS, 9, LongestSums(8))


NAMES = ("w1", "w2", "w3")


def factors_of(mode, c, d):
    """w1, w2, w3 of a weight c + jd."""
    return {
        Mode.COMPLEX: (c, d - c, c + d),
        Mode.DUAL: (0, d, -c),
        Mode.DOT: (c, 0, c - d),
    }[mode]


def packed_factors_of(mode, c, d):
    """Factors of a and b: low + 2^offset · high."""
    a, b = {Mode.COMPLEX: ((c, d), (-d, c)), Mode.DUAL: ((c, 0), (0, d)), Mode.DOT: ((c, d), (d, c))}[mode]
    return tuple(low + (high << PACKED.offset) for low, high in (a, b))


@pytest.mark.parametrize("packed", [None, PACKED], ids=["three", "packed"])
@pytest.mark.parametrize("run_ahead", [False, True])
def test_factors_selects_and_first(simulate, run_ahead, packed):
    dut, rng = RowWeights(ROWS, BITS, GROUP, run_ahead, packed), np.random.default_rng(1)
    low, high = -(1 << BITS - 1) + bool(packed), (1 << BITS - 1) - 1
    factors, none, names = (packed_factors_of, (0, 0), "ab") if packed else (factors_of, (0, 0, 0), NAMES)
    steps = []
    for number in range(40):
        weights = rng.integers(low, high + 1, (ROWS, 2)).tolist()
        weights[number % ROWS] = [low, high] if number % 2 else [high, low]
        modes = [Mode(int(mode)) for mode in rng.integers(0, 3, 8 if run_ahead else 1)]
        steps.append((number % 5 > 0, weights, rng.integers(0, 8, ROWS).tolist(), modes, number % 7 == 1))

    async def bench(ctx):
        for now in range(len(steps) + ROWS):
            valid, weights, selects, modes, first = steps[min(now, len(steps) - 1)]
            ctx.set(dut.valid, int(valid and now < len(steps)))
            ctx.set(dut.first, int(first) * ((1 << ROWS) - 1 if run_ahead else 1))
            for bank, mode in enumerate(modes):
                ctx.set(dut.modes[bank], mode)
            for n, (re, im) in enumerate(weights):
                row = {"select": selects[n], "re": re, "im": im, **({"end": 0} if run_ahead else {})}
                ctx.set(dut.weights[n], row)
            for n in range(ROWS):
                if 0 <= (step := now - dut.latency - n // GROUP) < len(steps):
                    valid, weights, selects, modes, first = steps[step]
                    mode = modes[selects[n]] if run_ahead else modes[0]
                    wanted = factors(mode, *weights[n]) if valid else none
                    assert tuple(ctx.get(dut.factors[n][name]) for name in names) == wanted
                    if n == 0 and not run_ahead:
                        assert ctx.get(dut.o_first) == (valid and first)
                if 0 <= (step := now - dut.latency + 1 - n // GROUP) < len(steps):
                    valid, _, selects, _, _ = steps[step]
                    assert ctx.get(dut.selects[n]) == (selects[n] if valid else 0)
            await ctx.tick()

    simulate(dut, bench)
