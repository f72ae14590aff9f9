"""Targets of tokens against the feature layout: the first row of every channel of every pass."""

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.control.target import TargetPointer, group_targets, target_layout
from hw.gateware.primitives.delay import per_layer
from tests.hw.gateware.programs import CASES, passes, position_of, program


class Alone(wiring.Component):
    """The pointer with the steps that the output controller decides on as inputs."""

    def __init__(self, compiled):
        self.program = compiled
        super().__init__(
            {
                "layer": In(range(len(compiled.layers))),
                "images": In(range(compiled.config.batch + 1)),
                "start": In(1),
                "end_token": In(1),
                "end_pass": In(1),
                "missing": In(1),
                "target": Out(target_layout(compiled)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = loops = LoopNest(self.program)
        dot = per_layer(m, self.layer, [int(p.dot) for p in self.program.layers], name="dot")
        pointer = TargetPointer(m, self.layer, self.program, loops, dot=dot, missing=self.missing)
        m.d.comb += [
            loops.layer.eq(self.layer),
            loops.images.eq(self.images),
            loops.start.eq(self.start),
            loops.step.eq(self.end_pass),
            self.target.eq(pointer.target),
        ]
        with m.If(self.start):
            pointer.start(m, self.images)
        with m.If(self.end_token):
            pointer.next_channel(m)
        with m.If(self.end_pass & loops.block_wraps):
            pointer.next_group(m)
        return m


async def begin(ctx, dut):
    """Start, and wait until the first token's target shows."""
    ctx.set(dut.start, 1)
    await ctx.tick()
    ctx.set(dut.start, 0)
    await ctx.tick().repeat(2)


LAYERS = [
    (name, streamed, instruction)
    for name in CASES
    for streamed in (False, True)
    for instruction in range(len(program(name, streamed).layers))
    if not streamed or name in ("plain", "tall")
]


@pytest.mark.parametrize(("name", "streamed", "instruction"), LAYERS)
def test_first_row_of_every_token(simulate, name, streamed, instruction):
    compiled = program(name, streamed)
    plan, dut, images = compiled.layers[instruction], Alone(compiled), compiled.config.batch
    height = 1 if plan.dot else plan.dest.shape[1]
    # The loop nest counts to the last of these rows: one that the table lacks would be the next layer's.
    assert len(group_targets(plan)) == 1 + max(group_row for _, group_row, *_ in passes(plan, images))

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        ctx.set(dut.images, images)
        await ctx.tick().repeat(3)
        await begin(ctx, dut)
        for block, group_row, column, _ in passes(plan, images):
            rows = plan.block_rows(block, compiled.config.rows)
            for row in range(rows):
                channel = block * compiled.config.rows + row
                target = dut.target
                if plan.dot:
                    first, x = position_of(plan.dest, 0, channel // 64, channel // 8 % 8)[0], channel % 8
                    left = images
                    assert (ctx.get(target.slot), ctx.get(target.phase)) == (0, 0)
                else:
                    y = (plan.top_group + group_row) * plan.out_group_height
                    # The controller adds the lines of the image.
                    first = position_of(plan.dest, 0, channel, 0)[0] - plan.dest.position(0)[0]
                    line, slot, phase = group_targets(plan)[group_row]
                    first, x, left = first + line, column * plan.lane_columns * plan.out_stride, height - y
                    assert (ctx.get(target.slot), ctx.get(target.phase)) == (slot, phase)
                    assert (line, slot) == plan.dest.position(y)
                assert (ctx.get(target.line), ctx.get(target.x), ctx.get(target.rows)) == (first, x, left)
                ctx.set(dut.missing, 1)
                assert ctx.get(target.rows) == 0
                ctx.set(dut.missing, 0)
                ctx.set(dut.end_token, 1)
                ctx.set(dut.end_pass, int(row == rows - 1))
                await ctx.tick()
                ctx.set(dut.end_token, 0)
                ctx.set(dut.end_pass, 0)
            await ctx.tick().repeat(2)

    simulate(dut, bench)


@pytest.mark.parametrize("instruction", range(len(program("plain").layers)))
def test_a_start_is_at_the_first_token_wherever_the_layer_was_left(simulate, instruction):
    compiled = program("plain")
    dut, first, left = Alone(compiled), set(), set()

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        ctx.set(dut.images, compiled.config.batch)
        await ctx.tick().repeat(3)
        for number in range(9):
            await begin(ctx, dut)
            first.add(ctx.get(dut.target).as_bits())
            for _ in range(number):
                ctx.set(dut.end_pass, 1)
                await ctx.tick()
                ctx.set(dut.end_pass, 0)
                await ctx.tick().repeat(2)
            ctx.set(dut.end_token, 1)
            await ctx.tick()
            ctx.set(dut.end_token, 0)
            left.add(ctx.get(dut.target).as_bits())

    simulate(dut, bench)
    assert len(first) == 1
    assert not first & left, "no place that a start has to leave"
