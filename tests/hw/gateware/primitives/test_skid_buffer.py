"""Two registers in a stream of steps: every step once, in order, without bubbles, ends first."""

import random

import pytest

from hw.compile.step_format import StepFormat
from hw.gateware.primitives.skid_buffer import SkidBuffer
from tests.hw.gateware.programs import program

FORMATS = {"narrow": StepFormat(4, 8, 2, False), "wide": program("plain", False, "kernel").step_format}


@pytest.mark.parametrize("format", list(FORMATS))
@pytest.mark.parametrize(("supply", "demand"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.6, 0.6)])
def test_steps_pass_in_order(simulate, format, supply, demand):
    step, dice = FORMATS[format], random.Random(7)
    dut = SkidBuffer(step)
    values = [dice.getrandbits(len(dut.step.as_value())) for _ in range(150)]
    ends_of = []
    for value in values:
        bits = dut.step.shape().from_bits(value)
        rows = [row.end for row in bits.rows] if step.run_ahead else []
        ends_of.append(sum(bit << i for i, bit in enumerate([bits.end_of_word, bits.end_of_pass, *rows])))
    found, clocks = [], 0

    async def bench(ctx):
        nonlocal clocks
        given, taken = 0, False
        while len(found) < len(values):
            offer = given < len(values) and dice.random() < supply
            accepted = ctx.get(dut.i.ready)
            ctx.set(dut.i.valid, int(offer))
            ctx.set(dut.i.payload.as_value(), values[given] if offer else dice.getrandbits(20))
            valid = ctx.get(dut.ends.valid)
            if taken:
                found.append(ctx.get(dut.step.as_value()))
            taken = bool(valid and dice.random() < demand)
            ctx.set(dut.ends.ready, int(taken))
            if valid:
                assert ctx.get(dut.ends.payload.as_value()) == ends_of[len(found)]
            await ctx.tick()
            given += offer and accepted
            clocks += 1
            assert clocks < 2000

    simulate(dut, bench)
    assert found == values
    assert supply * demand < 1 or clocks <= len(values) + 3


@pytest.mark.parametrize("held", [1, 2])
def test_clear_drops_what_is_held(simulate, held):
    dut = SkidBuffer(FORMATS["narrow"])

    async def bench(ctx):
        ctx.set(dut.i.valid, 1)
        for value in range(held):
            assert ctx.get(dut.i.ready)
            ctx.set(dut.i.payload.as_value(), value)
            await ctx.tick()
        assert (ctx.get(dut.ends.valid), ctx.get(dut.i.ready)) == (1, held == 1)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.clear, 1)
        await ctx.tick()
        ctx.set(dut.clear, 0)
        assert (ctx.get(dut.ends.valid), ctx.get(dut.i.ready)) == (0, 1)
        ctx.set(dut.i.valid, 1)
        ctx.set(dut.i.payload.as_value(), 77)
        await ctx.tick()
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.ends.ready, 1)
        assert ctx.get(dut.ends.valid)
        await ctx.tick()
        assert (ctx.get(dut.ends.valid), ctx.get(dut.step.as_value())) == (0, 77)

    simulate(dut, bench)
