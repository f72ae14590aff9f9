"""Generations against a count of resets in Python."""

import random

from amaranth.hdl import ResetInserter, Signal

from hw.gateware.ports.axi import ID_BITS
from hw.gateware.weights.generation import Generation


def test_every_reset_however_long_is_one(simulate):
    dut, reset, dice = Generation(), Signal(), random.Random(3)
    numbers = []

    async def bench(ctx):
        await ctx.tick()
        last = ctx.get(dut.number)
        for resets in range(1, 40):
            ctx.set(reset, 1)
            await ctx.tick().repeat(dice.choice((1, 2, 5)))
            ctx.set(reset, 0)
            assert ctx.get(dut.settled) == 0
            await ctx.tick()
            for _ in range(dice.choice((1, 3, 9))):
                assert ctx.get(dut.settled) == 1
                assert ctx.get(dut.number) == (last + resets) % (1 << ID_BITS)
                await ctx.tick()
            numbers.append(ctx.get(dut.number))

    simulate(ResetInserter(reset)(dut), bench)
    assert len(set(numbers)) == 1 << ID_BITS
