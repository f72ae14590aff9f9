"""MAC controller against a loop in Python: which step enters the array in which clock, and why not."""

import numpy as np
import pytest

from hw.gateware.control.issue import Issue
from tests.hw.gateware.programs import passes, program


def steps_of(compiled, plan, images):
    """Steps of a layer in the order of passes: (ends of word, block, pass and rows, first entry, drain
    clocks - 1, whether the X half is free after it, repeated word)."""
    table, config = plan.steps, compiled.config
    ends = np.flatnonzero(table.end_of_pass) + 1
    blocks = np.split(np.arange(len(table)), ends[:-1])
    order = passes(plan, images)
    per_block = config.rows // config.drain
    for block, *_ in order:
        used = -(-plan.block_rows(block, config.rows) // config.drain)
        frees = (block + 1) % plan.blocks_per_transform == 0
        words = plan.words if plan.repeated else 1
        for word in range(words):
            for t in blocks[block]:
                rows = table.run_ahead.end[t].tolist() if compiled.run_ahead else None
                ends = t == blocks[block][-1]
                last = ends and word == words - 1
                yield (
                    bool(table.end_of_word[t]),
                    ends,
                    last,
                    rows,
                    plan.first_drain_group + block * per_block,
                    used - 1,
                    frees and last,
                    word,
                )


@pytest.mark.parametrize(
    ("name", "streamed", "kind", "pace"),
    [
        ("tall", False, "adaptive", 1.0),
        ("tall", True, "adaptive", 0.8),
        ("plain", False, "kernel", 0.8),
        ("plain", False, "adaptive", 0.7),
        ("beside", False, "adaptive", 0.8),
        ("pointwise", True, "adaptive", 0.8),
    ],
)
def test_issues_every_step_once_and_as_soon_as_it_may(simulate, name, streamed, kind, pace):
    compiled, rng = program(name, streamed, kind), np.random.default_rng(5)
    dut, batch = Issue(compiled), compiled.config.batch
    everything = (1 << compiled.config.rows) - 1 if compiled.run_ahead else 1
    waits = {"x": 0, "drain": 0, "y": 0}

    halves = [0, 0]  # the next ones of X and Y, which a layer leaves to the one after it

    async def layer(ctx, instruction, plan, images):
        ctx.set(dut.layer, instruction)
        ctx.set(dut.images, images)
        await ctx.tick().repeat(3)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        todo = list(steps_of(compiled, plan, images))
        first, opened, free, now = everything, False, 0, 0
        x_half, y_half = halves
        issued = None
        assert ctx.get(dut.issued) == 0
        while todo:
            end, block_ends, last, rows, entry_of, entries, frees, word = todo[0]
            valid, full, free_y = (rng.random() < pace for _ in range(3))
            ctx.set(dut.ends.valid, int(valid))
            ctx.set(dut.ends.payload.end_of_word, int(end))
            ctx.set(dut.ends.payload.end_of_pass, int(block_ends))
            bits = sum(int(bit) << i for i, bit in enumerate(rows)) if rows else int(end)
            if rows:
                ctx.set(dut.ends.payload.rows, bits)
            ctx.set(dut.half_full, int(full))
            ctx.set(dut.pass_free, int(free_y))
            wait_x = valid and not full
            wait_drain = valid and full and end and now < free
            wait_y = valid and full and end and now >= free and not opened and not free_y
            take = valid and not (wait_x or wait_drain or wait_y)
            wanted = (take, wait_x, wait_drain, wait_y, take and frees, take and end and not opened, True)
            ports = (
                dut.ends.ready,
                dut.wait_x,
                dut.wait_drain,
                dut.wait_y,
                dut.half_freed,
                dut.pass_taken,
                dut.busy,
            )
            assert [ctx.get(port) for port in ports] == [int(value) for value in wanted]
            assert ctx.get(dut.done) == (take and len(todo) == 1)
            for why, waited in zip(waits, (wait_x, wait_drain, wait_y), strict=True):
                waits[why] += waited
            beside = (first, x_half, y_half, entry_of, entries)
            await ctx.tick()
            now += 1
            assert ctx.get(dut.issued) == take
            if take:
                ports = (dut.first, dut.x_half, dut.y_half, dut.entry, dut.entries)
                assert [ctx.get(port) for port in ports] == list(beside)
                if compiled.repeats and plan.repeated:
                    assert ctx.get(dut.word) == word
                    assert not block_ends or ctx.get(dut.word_ends) == last
                issued, first = todo.pop(0), bits
                if end:
                    opened, free = True, now + entries
                if last:
                    opened, y_half = False, 1 - y_half
                if frees:
                    x_half = 1 - x_half
        halves[:] = x_half, y_half
        ctx.set(dut.ends.valid, 1)
        assert (ctx.get(dut.busy), ctx.get(dut.ends.ready)) == (0, 0) and issued[-2]
        ctx.set(dut.ends.valid, 0)

    async def bench(ctx):
        for instruction, plan in enumerate(compiled.layers):
            if kind == "adaptive" or instruction == 1:
                await layer(ctx, instruction, plan, batch if instruction % 2 and kind == "adaptive" else 1)

    simulate(dut, bench)
    assert pace == 1.0 or (waits["x"] and (waits["y"] or kind == "kernel"))
    assert waits["drain"] or kind != "adaptive" or name != "tall"
