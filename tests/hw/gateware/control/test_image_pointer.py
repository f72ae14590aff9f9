"""Image pointer against loops: whose lane rows start in which clock, and where that image's map lies."""

import numpy as np
import pytest

from hw.gateware.control.image_pointer import ImagePointer
from tests.hw.gateware.programs import passes, program

CASES = [("packed", 0), ("beside", 0), ("beside", 2), ("three", 0), ("plain", 1)]


def tokens_of(plan, images, rows):
    """Per token of a layer: its stack; whether it ends its pass, the pass the stack, the stack the block."""
    order = passes(plan, images)
    stacks = -(-images // plan.images)
    for number, (block, *_, stack) in enumerate(order):
        after = order[number + 1] if number + 1 < len(order) else None
        size = plan.blocks_per_transform
        row_wraps = after is None or after[3] != stack or after[0] // size != block // size
        for token in range(plan.block_rows(block, rows)):
            last = token == plan.block_rows(block, rows) - 1
            yield stack, last, row_wraps, row_wraps and stack == stacks - 1


@pytest.mark.parametrize(("name", "instruction"), CASES)
@pytest.mark.parametrize("missing", [0, 1])
def test_every_image_of_every_token(simulate, name, instruction, missing):
    compiled, rng = program(name), np.random.default_rng(instruction)
    plan, dut = compiled.layers[instruction], ImagePointer(compiled)
    images = max(1, compiled.config.batch - missing)
    clocks = plan.skew * plan.source.image_packing  # of an image, where there are several
    seen = set()

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        ctx.set(dut.images, images)
        await ctx.tick().repeat(2)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        due = None
        for stack, last, row_wraps, stack_wraps in tokens_of(plan, images, compiled.config.rows):
            for clock in range(plan.token_interval):
                within, begins = divmod(clock, clocks) if plan.images > 1 else (0, clock)
                image = stack * plan.images + min(within, plan.images - 1)
                ctx.set(dut.running, 1)
                end = clock == plan.token_interval - 1
                ctx.set(dut.end_token, int(end))
                ctx.set(dut.end_pass, int(end and last))
                ctx.set(dut.row_wraps, int(row_wraps))
                ctx.set(dut.stack_wraps, int(stack_wraps))
                if due:
                    assert (ctx.get(dut.origin.line), ctx.get(dut.origin.slot)) == due
                due = None
                if within < plan.images:
                    assert ctx.get(dut.begins) == (begins == 0), clock
                    assert ctx.get(dut.missing) == (image >= images)
                    seen.add(image)
                    due = plan.dest.image_position(image) if image < images else None
                await ctx.tick()
            if last:  # the controller waits between passes
                for port in (dut.running, dut.end_token, dut.end_pass):
                    ctx.set(port, 0)
                due = None
                assert ctx.get(dut.begins) == 0
                await ctx.tick().repeat(int(rng.integers(1, 4)))

    simulate(dut, bench)
    assert set(range(images)) <= seen
