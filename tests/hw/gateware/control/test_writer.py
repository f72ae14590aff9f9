"""Writer against a list of rows: lines of feature memory, or class scores, for one token after the other."""

import numpy as np
import pytest

from hw.contract.spectrum import TILE
from hw.gateware.control.target import group_targets
from hw.gateware.control.writer import Writer
from tests.hw.gateware.programs import position_of, program

RAW_BITS = 26


def put(ctx, dut, plan, row, pixels):
    """Lane row ``row`` delivers a row of its tiles in the next clock, all others garbage that is not valid.
    Returns what sets the pixels then."""
    columns = plan.lane_columns
    lanes = range(row * columns, (row + 1) * columns)
    ctx.set(dut.valid, sum(1 << lane for lane in lanes))

    def deliver():
        for lane in range(len(dut.valid)):
            of_row = lane in lanes
            ctx.set(dut.pixels[lane], pixels[lane - lanes[0]] if of_row else [0xA5] * TILE)
            ctx.set(dut.raw[lane], pixels[0][0] - 99 if of_row else 0x155)

    return deliver


def send(ctx, dut, plan, group, left):
    """Announce the token of channel 1 of a row of tile groups, of which ``left`` rows are in the map."""
    line, slot, phase = group_targets(plan)[group]
    first = position_of(plan.dest, 0, 1, 0)[0] - plan.dest.position(0)[0]
    for name, value in {"line": first + line, "slot": slot, "phase": phase, "x": 0, "rows": left}.items():
        ctx.set(dut.target[name], value)
    ctx.set(dut.token, 1)


LAYERS = [("plain", 0), ("plain", 2), ("packed", 1), ("packed", 2), ("wide", 0)]


@pytest.mark.parametrize(("name", "instruction"), LAYERS)
@pytest.mark.parametrize("left", [1, 2, 99])
def test_rows_of_a_token(simulate, name, instruction, left):
    compiled, rng = program(name), np.random.default_rng(left)
    plan, dut, line = compiled.layers[instruction], Writer(compiled, RAW_BITS), compiled.config.line_pixels
    height, width = plan.dest.shape[1:]
    found, wanted, offset = {}, {}, 0

    def note(ctx):
        """What was announced a clock ago, and is written now."""
        nonlocal offset
        if ctx.get(dut.w_en):
            mask, pixels = ctx.get(dut.w_mask), ctx.get(dut.w_pixels.as_value())
            first = ctx.get(dut.w_line) * line + offset
            found.update({first + i: pixels >> 8 * i & 255 for i in range(line) if mask >> i & 1})
        assert not ctx.get(dut.score_valid)
        offset = ctx.get(dut.w_offset)

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        await ctx.tick().repeat(3)
        send(ctx, dut, plan, 0, left)
        await ctx.tick()
        ctx.set(dut.token, 0)
        y, deliver = 0, list
        for row in range(plan.lane_rows):
            for within in range(TILE):
                pixels = rng.integers(0, 256, (plan.lane_columns, TILE)).tolist()
                for lane in range(compiled.config.lanes):
                    ctx.set(dut.rows[lane], within)
                deliver()
                deliver = put(ctx, dut, plan, row, pixels)
                if within < plan.rows_written:
                    if y < min(left, height):
                        first, pixel = position_of(plan.dest, 0, 1, y)
                        values = [value for tile in pixels for value in tile[: plan.out_stride]]
                        wanted.update({first * line + pixel + x: v for x, v in enumerate(values[:width])})
                    y += 1
                note(ctx)
                await ctx.tick()
        ctx.set(dut.valid, 0)
        deliver()
        note(ctx)
        await ctx.tick()
        note(ctx)
        await ctx.tick()
        note(ctx)
        assert not ctx.get(dut.w_en)

    simulate(dut, bench)
    # More rows than the map has are the controller's to count: it says how many there are.
    assert {at: value for at, value in found.items() if at in wanted} == wanted
    assert left > height or len(found) == len(wanted)
