"""The counter against the sums it follows: any products up to a field's size, any loads."""

import numpy as np
import pytest

from hw.gateware.datapath.wrap_counter import WrapCounter

OFFSET, BITS = 5, 9


def random_products(seed, count):
    """(load, [(low, high), (low, high)]): products of the low parts and of the high ones."""
    rng, field = np.random.default_rng(seed), 1 << OFFSET
    runs = rng.choice([-field, field, 1, -1, 0], (count, 2), p=[0.3, 0.3, 0.15, 0.15, 0.1])
    low = np.where(rng.random((count, 2)) < 0.7, runs, rng.integers(-field, field + 1, (count, 2)))
    low[count // 2 :] = np.abs(low[count // 2 :])  # long ways up
    for i in range(count):
        yield (
            i == 0 or rng.random() < 0.03,
            list(zip(low[i].tolist(), rng.integers(-9, 10, 2).tolist(), strict=True)),
        )


@pytest.mark.parametrize("seed", range(3))
def test_wraps_of_both_sums_in_every_clock(simulate, seed):
    dut, rng = WrapCounter(BITS), np.random.default_rng(seed)
    steps, seen, wanted = list(random_products(seed, 200)), [], []
    lows = np.zeros(2, int)

    async def testbench(ctx):
        nonlocal lows
        sums = np.zeros(2, int)
        for load, products in [*steps, *[(False, [(0, 0), (0, 0)])] * dut.latency]:
            lows, sums = (0 if load else lows), (0 if load else sums)
            ctx.set(dut.load, load)
            ctx.set(dut.odd, sum((high & 1) << i for i, (_, high) in enumerate(products)))
            # Of nothing the sign is anything.
            signs = [low < 0 if low else int(rng.integers(2)) for low, _ in products]
            ctx.set(dut.negative, sum(int(sign) << i for i, sign in enumerate(signs)))
            await ctx.tick()
            lows = lows + np.array([low for low, _ in products])
            sums = sums + np.array([low + (high << OFFSET) for low, high in products])
            ctx.set(dut.above, sum((int(total) >> OFFSET & 1) << i for i, total in enumerate(sums)))
            wanted.append(int((lows >> OFFSET).sum()))
            seen.append(ctx.get(dut.wraps))

    simulate(dut, testbench)
    half = 1 << BITS - 1
    assert seen[1:] == [(count + half) % (2 * half) - half for count in wanted[:-1]]
    assert max(map(abs, wanted)) > 20
