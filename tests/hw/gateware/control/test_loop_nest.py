"""The loop nest against nested loops in Python, for sets of one block, of some, and of all."""

from dataclasses import replace

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network
from hw.gateware.control.loop_nest import LoopNest
from tests.hw.gateware.programs import program as case

NETWORKS = {
    "apart": Network(
        "apart",
        (3, 20, 14),
        (Conv("a", 3, 11, 3, padding=1, pool=2), Conv("b", 11, 9, 3), Dense("c", 9 * 40, 6, relu=False)),
    ),
    # Lines of 16 pixels hold the maps of two images.
    "beside": Network(
        "beside",
        (3, 4, 4),
        (Conv("a", 3, 40, 3, padding=1), Conv("b", 40, 9, 3, padding=1), Dense("c", 144, 6, relu=False)),
    ),
}
BATCH = 5


def program(network, sets):
    """Of convolutions with an even number of blocks there are as many ``sets``, where they can be had."""
    compiled = compile_program(random_artifact(NETWORKS[network]), AcceleratorConfig(4, 5, BATCH, 16))
    layers = []
    for plan in compiled.layers:
        size = max(1, plan.blocks // (1 if plan.dot else sets))
        layers.append(replace(plan, blocks_per_transform=size if plan.blocks % size == 0 else 1))
    return replace(compiled, layers=tuple(layers))


def expected(plan, images, blocks, dot_images):
    """Per pass: group row, stack, last block, last group, and how many loops wrap after it."""
    rows, columns = (1, 1) if plan.dot else (plan.group_rows, plan.group_columns)
    stacks = 1 if plan.dot and not dot_images else -(-images // plan.images)
    inner = plan.blocks_per_transform if blocks else 1
    outer = plan.blocks // plan.blocks_per_transform
    for o in range(outer):
        for stack in range(stacks):
            for row in range(rows):
                for column in range(columns):
                    for i in range(inner):
                        loops = (i, inner), (column, columns), (row, rows), (stack, stacks), (o, outer)
                        ends = [number == count - 1 for number, count in loops]
                        wraps = next((k for k, end in enumerate(ends) if not end), len(ends))
                        yield row, stack, ends[0] and ends[4], all(ends[1:4]), wraps


@pytest.mark.parametrize(("network", "images"), [("apart", 2), ("beside", 2), ("beside", 5)])
@pytest.mark.parametrize("sets", [1, 2, 100])
@pytest.mark.parametrize(("blocks", "dot_images"), [(True, False), (False, True)])
def test_all_passes_are_made_in_order_twice(simulate, network, images, sets, blocks, dot_images):
    compiled = program(network, sets)
    assert [plan.images for plan in compiled.layers] == ([2, 2, 1] if network == "beside" else [1, 1, 1])
    dut = LoopNest(compiled, blocks=blocks, dot_images=dot_images)
    found = []

    async def bench(ctx):
        ctx.set(dut.images, images)
        for layer, plan in enumerate(compiled.layers):
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(2)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            passes = len(list(expected(plan, images, blocks, dot_images)))
            for _ in range(2 * passes):  # after the last one it starts again
                flags = [
                    ctx.get(flag)
                    for flag in (dut.block_wraps, dut.column_wraps, dut.row_wraps, dut.stack_wraps, dut.ends)
                ]
                assert flags == sorted(flags, reverse=True), "a loop wraps with all inside it"
                state = [ctx.get(n) for n in (dut.group_row, dut.stack, dut.last_block, dut.last_group)]
                found.append((*state, sum(flags)))
                ctx.set(dut.step, 1)
                await ctx.tick()
                ctx.set(dut.step, 0)
                await ctx.tick()

    simulate(dut, bench)
    wanted = [
        passed for plan in compiled.layers for passed in 2 * list(expected(plan, images, blocks, dot_images))
    ]
    assert found == wanted
    assert len({passed[-1] for passed in wanted}) >= (4 if network == "apart" else 2)


def test_words_are_the_innermost_loop(simulate):
    """Of layers whose steps are repeated; others have no such loop."""
    compiled = case("pointwise", streamed=True)
    dut, found, wanted = LoopNest(compiled, words=True), [], []

    async def bench(ctx):
        ctx.set(dut.images, 2)
        for layer, plan in enumerate(compiled.layers):
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(2)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            words = plan.words if plan.repeated else 1
            for row, stack, last_block, last_group, wraps in expected(plan, 2, True, False):
                for word in range(words):
                    passed = word == words - 1
                    wanted.append((row, stack, last_block, last_group, word, passed, passed * wraps))
                    flags = (dut.block_wraps, dut.column_wraps, dut.row_wraps, dut.stack_wraps, dut.ends)
                    ports = dut.group_row, dut.stack, dut.last_block, dut.last_group, dut.word, dut.word_wraps
                    found.append((*map(ctx.get, ports), sum(map(ctx.get, flags))))
                    ctx.set(dut.step, 1)
                    await ctx.tick()
                    ctx.set(dut.step, 0)
                    if len(found) % 3:
                        await ctx.tick()

    simulate(dut, bench)
    assert found == wanted
    assert {plan.repeated for plan in compiled.layers} == {True, False}
