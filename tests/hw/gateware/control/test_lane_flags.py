"""Lane flags against the layout of the map: which lanes a line is for, and which pixels count."""

import numpy as np
import pytest
from amaranth import Shape

from hw.gateware.control.lane_flags import LaneFlags, lane_skews
from tests.hw.gateware.programs import CASES, program

LINES, SPAN = 6, 9


def starts_of(plan, lanes, stack, line):
    """Lanes whose tile begins with the line."""
    if plan.dot:
        return {stack} & set(range(lanes))
    used = range(plan.lane_rows * plan.lane_columns)
    skew = 0 if plan.packing > 1 else plan.rows_made
    return {lane for lane in used if line == lane // plan.lane_columns * skew}


def rows_of(plan, lanes, y):
    """Per lane: the row of the map that it finds in the line."""
    for lane in range(lanes):
        row = lane // plan.lane_columns
        packed = plan.packing > 1 and row < plan.lane_rows
        yield y + (row % plan.source.image_packing * plan.row_stride if packed else 0)


def columns_of(plan, x, line_pixels):
    """Pixels of the line inside the map's columns."""
    width, source = plan.source.shape[2], plan.source
    if plan.packing == 1:
        return {i for i in range(line_pixels) if 0 <= x + i < width}
    firsts = [s * source.slot_pixels + source.padding for s in range(source.packing)]
    return {i for first in firsts for i in range(first, first + width)}


LAYERS = [(name, instruction) for name in CASES for instruction in range(len(program(name).layers))]


@pytest.mark.parametrize(("name", "instruction"), LAYERS)
def test_starts_inside_and_mask(simulate, name, instruction):
    compiled, rng = program(name), np.random.default_rng(instruction)
    plan, config = compiled.layers[instruction], compiled.config
    dut, seen = LaneFlags(compiled, Shape(LINES), SPAN), set()
    height, width = plan.source.shape[1:]

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        ctx.set(dut.dot, int(plan.dot))
        await ctx.tick()
        for trial in range(200):
            line = trial % plan.lines_per_channel
            stack = int(rng.integers(config.batch + 1))
            x, y = int(rng.integers(-8, width + 8)), int(rng.integers(-8, height + 8))
            for port, value in ((dut.line, line), (dut.stack, stack), (dut.x, x), (dut.y, y)):
                ctx.set(port, value)
            starts = starts_of(plan, config.lanes, stack, line)
            assert ctx.get(dut.starts) == sum(1 << lane for lane in starts)
            rows = list(rows_of(plan, config.lanes, y))
            inside = sum((0 <= row < height) << lane for lane, row in enumerate(rows))
            used = (1 << plan.lane_rows * plan.lane_columns) - 1
            assert ctx.get(dut.inside) & used == inside & used
            assert ctx.get(dut.mask) == sum(1 << i for i in columns_of(plan, x, config.line_pixels))
            seen.add(bool(starts))
            await ctx.tick()

    simulate(dut, bench)
    assert True in seen


def test_skews_of_lanes_follow_their_rows():
    for name in CASES:
        compiled = program(name)
        for lane in range(compiled.config.lanes):
            for plan, skew in zip(compiled.layers, lane_skews(compiled, lane), strict=True):
                used = lane < plan.lane_rows * plan.lane_columns
                assert skew == (lane // plan.lane_columns * plan.skew if used else -1)
