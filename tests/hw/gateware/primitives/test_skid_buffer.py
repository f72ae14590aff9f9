"""Two registers in a stream of steps: every step once, in order, without bubbles, ends first."""

import random

import pytest

from hw.compile.step_format import StepFormat
from hw.gateware.primitives.skid_buffer import SkidBuffer
from tests.hw.gateware.programs import program

FORMATS = {"narrow": StepFormat(4, 8, 2, False), "wide": program("plain", False, "kernel").step_format}


class Memory:
    """The memory in front: what it has read, and its output register, which the buffer drives."""

    def __init__(self, dut):
        self.dut, self.read = dut, 0

    def offer(self, ctx, value):
        """Have read the step ``value``, or none."""
        self.read = 0x5A5A5 if value is None else value
        ctx.set(self.dut.i.valid, int(value is not None))

    async def tick(self, ctx):
        """Wait for a clock: what was read moves on unless the buffer is full, as every share is told."""
        full = ctx.get(self.dut.full)
        assert full == (0 if ctx.get(self.dut.i.ready) else 0b11)
        await ctx.tick()
        if not full:
            ctx.set(self.dut.i.payload.as_value(), self.read)


@pytest.mark.parametrize("format", list(FORMATS))
@pytest.mark.parametrize(("supply", "demand"), [(1.0, 1.0), (0.5, 1.0), (1.0, 0.5), (0.6, 0.6)])
def test_steps_pass_in_order(simulate, format, supply, demand):
    step, dice = FORMATS[format], random.Random(7)
    dut = SkidBuffer(step, full=2)
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
        memory = Memory(dut)
        while len(found) < len(values):
            offer = given < len(values) and dice.random() < supply
            accepted = ctx.get(dut.i.ready)
            memory.offer(ctx, values[given] if offer else None)
            valid = ctx.get(dut.ends.valid)
            if taken:
                found.append(ctx.get(dut.step.as_value()))
            taken = bool(valid and dice.random() < demand)
            ctx.set(dut.ends.ready, int(taken))
            if valid:
                assert ctx.get(dut.ends.payload.as_value()) == ends_of[len(found)]
            await memory.tick(ctx)
            given += offer and accepted
            clocks += 1
            assert clocks < 2000

    simulate(dut, bench)
    assert found == values
    assert supply * demand < 1 or clocks <= len(values) + 4


@pytest.mark.parametrize("held", [1, 2, 3])
def test_clear_drops_what_is_held(simulate, held):
    dut = SkidBuffer(FORMATS["narrow"], full=2)

    async def bench(ctx):
        memory = Memory(dut)
        for value in range(held):
            assert ctx.get(dut.i.ready)
            memory.offer(ctx, value)
            await memory.tick(ctx)
        memory.offer(ctx, None)
        await memory.tick(ctx)
        # A third one is in the memory's register.
        assert (ctx.get(dut.ends.valid), ctx.get(dut.i.ready)) == (1, held < 3)
        await memory.tick(ctx)
        ctx.set(dut.clear, 1)
        await memory.tick(ctx)
        ctx.set(dut.clear, 0)
        assert (ctx.get(dut.ends.valid), ctx.get(dut.i.ready)) == (0, 1)
        memory.offer(ctx, 77)
        await memory.tick(ctx)
        memory.offer(ctx, None)
        assert not ctx.get(dut.ends.valid)
        await memory.tick(ctx)
        ctx.set(dut.ends.ready, 1)
        assert ctx.get(dut.ends.valid)
        await memory.tick(ctx)
        assert (ctx.get(dut.ends.valid), ctx.get(dut.step.as_value())) == (0, 77)

    simulate(dut, bench)
