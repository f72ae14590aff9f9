"""The drain against ``hw.contract.formats.drain``: every row, every shift, the limits, loads back to back."""

import numpy as np
import pytest

from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT, Format, drain
from hw.contract.packed_products import LongestSums, PackedProducts
from hw.gateware.datapath.accumulator_drain import Drain

WIDTH = 4
"""Rows per clock of the narrower drain."""


def random_loads(seed, count, rows, acc_bits):
    """Loads as (value (N, 2), bias (N,), shift (N,), idle clocks before the next load).

    Magnitudes are spread over all powers of two, so that saturation, ties and small numbers all occur."""
    rng = np.random.default_rng(seed)

    def numbers(fmt, shape):
        size = 1 << rng.integers(0, fmt.bits, shape)
        value = rng.integers(-size, size, endpoint=True)
        value = np.where(rng.random(shape) < 0.1, rng.choice(fmt.limits, shape), value)
        return np.clip(value, *fmt.limits)

    for i in range(count):
        value, bias = numbers(Format(acc_bits), (rows, 2)), numbers(BIAS, rows)
        shift = (np.arange(rows) + rows * i) % (MAX_DRAIN_SHIFT + 1)
        yield value, bias * rng.integers(2), shift, int(rng.choice([0, 0, 1, 3]))


def ties_and_limits(acc_bits):
    """Values around one half of the last place kept and around the saturation limits, every shift."""
    for shift in range(0, MAX_DRAIN_SHIFT + 1):
        half, top = (1 << shift) >> 1, 1 << (17 + shift)
        near = [half, -half, 3 * half, -3 * half, top - half, -top - half, top, -top]
        values = np.array([n + d for n in near for d in (-1, 0, 1)])
        values = np.clip(values, *Format(acc_bits).limits).reshape(-1, WIDTH, 2)
        for value in values:
            yield value, np.zeros(WIDTH, int), np.full(WIDTH, shift), 0


def sums_of(value, acc_bits, rng):
    """Any k1, k2, k3 that give re = k1 - k3 and im = k1 + k2 modulo 2^acc_bits."""
    k1 = rng.integers(*Format(acc_bits).limits, len(value), endpoint=True)
    k2, k3 = value[:, 1] - k1, k1 - value[:, 0]
    wrapped = (np.stack([k1, k2, k3], -1) + (1 << (acc_bits - 1))) % (1 << acc_bits) - (1 << (acc_bits - 1))
    return [dict(zip(("k1", "k2", "k3"), row, strict=True)) for row in wrapped.tolist()]


def run(simulate, loads, rows, acc_bits, width=WIDTH, lift=0, both=None):
    """Words (N, 2) of every load. Its sums are there in the one clock in which each group is read;
    all else is garbage. ``both``: of a drain of pairs, whether both parts have a bias."""
    pairs = both is not None
    dut = Drain(rows, acc_bits, width, lift=lift, shift_bits=6, pairs=pairs)
    groups = rows // width
    rng = np.random.default_rng(99)
    start = np.cumsum([0, *(groups + idle for *_, idle in loads)]).tolist()
    served_at = {s + j: (load, j) for s, load in zip(start, loads, strict=False) for j in range(groups)}
    found = []

    async def testbench(ctx):
        if pairs:
            ctx.set(dut.both, int(both))
        for now in range(start[-1] + dut.latency + 1):
            ctx.set(dut.group, served_at[now][1] if now in served_at else int(rng.integers(groups)))
            value = rng.integers(*Format(acc_bits).limits, (rows, 2))
            if now - dut.lead in served_at:
                load, j = served_at[now - dut.lead]
                here = slice(width * j, width * (j + 1))
                value[here] = load[0][here]
            ctx.set(dut.sums, sums_of(value, acc_bits, rng))
            if now - dut.table_latency in served_at:
                (_, bias, shift, _), j = served_at[now - dut.table_latency]
                here = slice(width * j, width * (j + 1))
                ctx.set(dut.bias, bias[here].tolist())
                ctx.set(dut.shift, (shift[here] + lift).tolist())
            if now - dut.latency in served_at:
                found.append([(ctx.get(word.re), ctx.get(word.im)) for word in dut.o_words])
            await ctx.tick()

    simulate(dut, testbench)
    return np.array(found).reshape(len(loads), rows, 2)


def expected(loads, both=False):
    words = []
    for value, bias, shift, _ in loads:
        acc = value + np.stack([bias, both * bias], -1)
        words.append(drain(acc, shift[:, None]))
    return np.array(words)


@pytest.mark.parametrize(
    "rows, acc_bits, width", [(4, 34, 4), (8, 48, 4), (12, 27, 4), (16, 34, 8), (24, 30, 8)]
)
def test_random_sums(simulate, rows, acc_bits, width):
    loads = list(random_loads(rows, 120, rows, acc_bits))
    np.testing.assert_array_equal(run(simulate, loads, rows, acc_bits, width), expected(loads))


@pytest.mark.parametrize("both", [False, True])
def test_both_parts_of_a_pair_have_the_bias(simulate, both):
    loads = list(random_loads(7, 120, 8, 34))
    np.testing.assert_array_equal(run(simulate, loads, 8, 34, both=both), expected(loads, both))


@pytest.mark.parametrize("lift", [1, 6])
def test_sums_are_lifted_before_they_are_shifted(simulate, lift):
    """Shifts down to -lift, to the left, as narrow spectra of narrow weights need them."""
    loads = [(v, bias, shift - lift, idle) for v, bias, shift, idle in random_loads(lift, 100, 8, 30)]
    assert min(shift.min() for _, _, shift, _ in loads) == -lift
    np.testing.assert_array_equal(run(simulate, loads, 8, 30, lift=lift), expected(loads))


@pytest.mark.parametrize("acc_bits", [30, 48])
def test_ties_and_limits_at_every_shift(simulate, acc_bits):
    loads = list(ties_and_limits(acc_bits))
    np.testing.assert_array_equal(run(simulate, loads, WIDTH, acc_bits), expected(loads))


def test_a_bias_beyond_the_accumulator_does_not_wrap(simulate):
    acc_bits = 28
    value = np.full((WIDTH, 2), Format(acc_bits).limits[1])
    for limit in BIAS.limits:
        loads = [(value, np.full(WIDTH, limit), np.full(WIDTH, 15), 0)]
        np.testing.assert_array_equal(run(simulate, loads, WIDTH, acc_bits), expected(loads))


PACKED = PackedProducts(8, 11, LongestSums(64, 1000))


def packed_sums(value, run_ahead, rng):
    """Any sums, or what is held of them, that give ``value`` (N, 2), and wraps beside them."""
    offset, im_bits = PACKED.offset, PACKED.im_bits
    wrapped = lambda number, bits: (number + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)  # noqa: E731
    rows, wraps = [], []
    for re, im in value.tolist():
        low = [int(number) for number in rng.integers(1 << offset, size=2)]
        low[1] -= (low[0] + low[1] - re) % (1 << offset)  # so that the rest is whole wraps
        low[1] %= 1 << offset
        count = (re - low[0] - low[1]) >> offset
        high = int(rng.integers(1 << im_bits))
        highs = [high, (im + count - high) % (1 << im_bits)]
        sums = [wrapped((h << offset) + u, PACKED.sum_bits) for h, u in zip(highs, low, strict=True)]
        held = {"low": sum(low), "high": wrapped(sum(highs), im_bits)}
        rows.append(held if run_ahead else dict(zip("ab", sums, strict=True)))
        wraps.append(count)
    return rows, wraps


def run_packed(simulate, loads, rows, run_ahead, both=None):
    """As :func:`run`: sums are there in the clock in which they are read, wraps in the one after it."""
    pairs = both is not None
    dut, groups = Drain(rows, PACKED.re_bits, WIDTH, run_ahead, PACKED, pairs=pairs), rows // WIDTH
    rng, found = np.random.default_rng(98), []
    start = np.cumsum([0, *(groups + idle for *_, idle in loads)]).tolist()
    served_at = {s + j: (load, j) for s, load in zip(start, loads, strict=False) for j in range(groups)}
    reads = [packed_sums(load[0], run_ahead, rng) for load in loads]
    number = {id(load): i for i, load in enumerate(loads)}
    ports = dut.held if run_ahead else dut.sums

    async def testbench(ctx):
        if pairs:
            ctx.set(dut.both, int(both))
        for now in range(start[-1] + dut.latency + 1):
            ctx.set(dut.group, served_at[now][1] if now in served_at else int(rng.integers(groups)))
            garbage = rng.integers(-1000, 1000, (rows, 2))
            parts, _ = packed_sums(garbage, run_ahead, rng)
            wraps = [0] * rows
            for lag in (0, 1):
                if now - dut.lead - lag in served_at:
                    load, j = served_at[now - dut.lead - lag]
                    here = slice(WIDTH * j, WIDTH * (j + 1))
                    mine = reads[number[id(load)]]
                    if lag:
                        wraps[here] = mine[1][here]
                    else:
                        parts[here] = mine[0][here]
            for n in range(rows):
                ctx.set(ports[n], {**parts[n], "wraps": wraps[n]})
            if now - dut.table_latency in served_at:
                (_, bias, shift, _), j = served_at[now - dut.table_latency]
                here = slice(WIDTH * j, WIDTH * (j + 1))
                ctx.set(dut.bias, bias[here].tolist())
                ctx.set(dut.shift, shift[here].tolist())
            if now - dut.latency in served_at:
                found.append([(ctx.get(word.re), ctx.get(word.im)) for word in dut.o_words])
            await ctx.tick()

    simulate(dut, testbench)
    return np.array(found).reshape(len(loads), rows, 2)


@pytest.mark.parametrize("both", [None, False, True])
@pytest.mark.parametrize("run_ahead", [False, True])
def test_sums_of_packed_products(simulate, run_ahead, both):
    """Any split into sums and wraps that is the same number; the imaginary part is the narrower one."""
    loads = []
    for value, *rest in random_loads(8, 40, 8, PACKED.re_bits):
        im = np.clip(value[:, 1], *Format(PACKED.im_bits).limits)
        re = np.where(value[:, 0] >> PACKED.re_bits - 2 == -2, value[:, 0] >> 1, value[:, 0])
        loads.append((np.stack([re, im], -1), *rest))
    found = run_packed(simulate, loads, 8, run_ahead, both)
    np.testing.assert_array_equal(found, expected(loads, bool(both)))


@pytest.mark.slow
def test_cost(synthesise):
    """No DSP slice, no latch, no register per row; a multiplexer of 2 and one of 4 sums fit the same LUTs."""
    small, large = synthesise(Drain(8, 34, WIDTH)), synthesise(Drain(16, 34, WIDTH))
    assert not any(name.startswith(("DSP", "LD", "RAM")) for name in large)
    luts = [sum(n for name, n in cells.items() if name.startswith("LUT")) for cells in (small, large)]
    assert abs(luts[1] - luts[0]) <= 12, (small, large)
    # An index bit more: in the register of the lane and in the copies of 3 sums of 4 columns.
    assert large["FDRE"] - small["FDRE"] == 1 + 3 * WIDTH
