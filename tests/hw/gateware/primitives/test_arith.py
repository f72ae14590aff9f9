"""The arithmetic helpers against ``hw.contract.formats``, on every value or on random ones with the
extremes."""

import numpy as np
import pytest
from amaranth.hdl import Cat, Const, Module, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract import formats
from hw.contract.formats import Format
from hw.gateware.primitives import arith


class Block(wiring.Component):
    """``build(m, x, y)`` between ports of ``bits`` and of the result's shape."""

    def __init__(self, bits, shape, build):
        self._build = build
        super().__init__({"x": In(signed(bits)), "y": In(signed(bits)), "out": Out(shape)})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.out.eq(self._build(m, self.x, self.y))
        return m


@pytest.fixture
def evaluate(simulate):
    """Outputs of ``build(m, x, y)`` for every pair of values, ``latency`` clocks later."""

    def run(build, xs, ys=None, *, bits, shape, latency=0):
        block, results = Block(bits, shape, build), []
        ys = np.zeros_like(xs) if ys is None else ys

        async def testbench(ctx):
            for x, y in [*zip(xs.tolist(), ys.tolist(), strict=True), *[(0, 0)] * latency]:
                ctx.set(block.x, x)
                ctx.set(block.y, y)
                if not latency:
                    await ctx.delay(1e-7)
                    results.append(ctx.get(block.out))
                else:
                    results.append(ctx.get(block.out))
                    await ctx.tick()

        simulate(block, testbench)
        return np.array(results[latency:])

    return run


def every(bits):
    return np.arange(-(1 << (bits - 1)), 1 << (bits - 1))


def some(bits, seed, count=400):
    low, high = Format(bits).limits
    ends = [low, low + 1, -1, 0, 1, high - 1, high]
    return np.concatenate((ends, np.random.default_rng(seed).integers(low, high + 1, count)))


@pytest.mark.parametrize("shift", [0, 1, 3, 4])
def test_round_shift(evaluate, shift):
    xs = every(9)
    got = evaluate(lambda m, x, y: arith.round_shift(x, shift), xs, bits=9, shape=signed(10))
    np.testing.assert_array_equal(got, formats.round_shift(xs, shift))


@pytest.mark.parametrize(
    "fmt", [Format(6), Format(6, signed=False), Format(9), Format(9, signed=False)], ids=str
)
def test_saturate(evaluate, fmt):
    xs = every(9)
    shape = signed(12)
    got = evaluate(lambda m, x, y: arith.saturate(x, fmt), xs, bits=9, shape=shape)
    np.testing.assert_array_equal(got, fmt.saturate(xs))


def test_saturate_keeps_the_shape_of_the_format():
    x = Signal(signed(9))
    assert arith.saturate(x, Format(6)).shape() == signed(6)
    assert arith.saturate(x, Format(6, signed=False)).shape() == unsigned(6)


@pytest.mark.parametrize("subtract", [0, 1])
def test_add_or_subtract(evaluate, subtract):
    xs, ys = some(8, seed=1), some(8, seed=1)[::-1]
    flag = Cat(Signal(init=subtract, name="flag"))
    got = evaluate(lambda m, x, y: arith.add_or_subtract(x, y, flag), xs, ys, bits=8, shape=signed(12))
    np.testing.assert_array_equal(got, xs - ys if subtract else xs + ys)


@pytest.mark.parametrize("bits", [3, 9, 22])
@pytest.mark.parametrize("scale", [0, 1, 4])
def test_times_sqrt_half(evaluate, bits, scale):
    """Equal to the model on every value (or 400), in the promised width and time."""
    xs = every(bits) if bits < 12 else some(bits, seed=2)
    got = evaluate(
        lambda m, x, y: arith.times_sqrt_half(m, "product", x, scale),
        xs,
        bits=bits,
        shape=signed(bits + scale),
        latency=arith.SQRT_HALF_CLOCKS,
    )
    np.testing.assert_array_equal(got, formats.times_sqrt_half(xs, arith.SQRT_HALF_FRACTION - scale))


def test_every_item_is_selected_by_its_own_index(evaluate):
    index = np.arange(8) - 4  # in two's complement: 4 to 7, then 0 to 3
    found = evaluate(
        lambda m, x, y: arith.selected([Const(10 + i, 8) for i in range(8)], x),
        index,
        bits=3,
        shape=unsigned(8),
    )
    assert list(found) == [14, 15, 16, 17, 10, 11, 12, 13]
