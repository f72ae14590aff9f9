"""Output controller and writer: rows that lanes make, into feature memory where the map's plan puts them."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring

from hw.contract.spectrum import TILE
from hw.gateware.control.output import OutputController
from hw.gateware.control.writer import Writer
from hw.gateware.primitives.delay import delay
from tests.hw.gateware.programs import CASES, passes, position_of, program

LANE, REUSE_LEAD, RAW_BITS = 12, 6, 26
"""Clocks from a lane's token to its first row; others as in :class:`hw.gateware.core.Core`."""


class Back(wiring.Component):
    """Controller and writer as the core connects them; lanes are the test's."""

    def __init__(self, compiled):
        self.output, self.writer = OutputController(compiled, REUSE_LEAD), Writer(compiled, RAW_BITS)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.output, m.submodules.writer = output, writer = self.output, self.writer
        m.d.comb += [
            writer.layer.eq(output.layer),
            writer.token.eq(delay(m, output.token, LANE - 2, name="token", reset=True)),
            writer.target.as_value().eq(delay(m, output.target.as_value(), LANE - 2, name="target")),
        ]
        return m


def rows_of(plan, clock):
    """The row of a tile that leaves ``clock`` clocks after its first one, None for none."""
    step = plan.layer.reduction
    if step == 1:
        return clock if clock < TILE else None
    return clock // 2 if clock % 2 and clock < TILE else None


def tile_of(plan, work, lane, images):
    """(image, row and column of the map's first pixel) of a lane's tile in a pass; None: it has none."""
    _, group_row, column, stack = work
    row, q = divmod(lane, plan.lane_columns)
    if plan.dot:
        return (lane, 0, 0) if lane < images else None
    per_image = plan.source.image_packing if plan.images > 1 else plan.lane_rows
    image = stack * plan.images + row // per_image
    y = ((plan.top_group + group_row) * per_image + row % per_image) * plan.out_rows
    x = (column * plan.lane_columns + q) * plan.out_stride
    return (image, y, x) if image < images else None


def run(simulate, compiled, instruction, images, maps, scores, rng=None):
    """The log of a layer whose lanes make ``maps`` (image, channel, y, x); ``rng``: halves fill at random."""
    dut, plan, config = Back(compiled), compiled.layers[instruction], compiled.config
    output, writer, log = dut.output, dut.writer, []
    order = passes(plan, images)
    line = config.line_pixels
    noise = np.random.default_rng(9)

    def made(work, channel, lane, row):
        """The 8 pixels of a row of a lane's tile, noise outside the map."""
        pixels = noise.integers(0, 256, TILE)
        tile = tile_of(plan, work, lane, images)
        channel += work[0] * config.rows
        if tile and channel < plan.outputs:
            image, y, x = tile
            _, _, height, width = maps.shape
            for i in range(TILE if not plan.dot else 1):
                if y + row < height and x + i < width:
                    pixels[i] = maps[image, channel, y + row, x + i]
        return pixels.tolist()

    async def bench(ctx):
        ctx.set(output.layer, instruction)
        ctx.set(output.images, images)
        ctx.set(writer.scores, int(scores))
        await ctx.tick().repeat(4)
        ctx.set(output.start, 1)
        await ctx.tick()
        ctx.set(output.start, 0)
        running, leaving, offset, number, idle = {}, {}, 0, -1, 0
        while idle < LANE + TILE + 4:
            now = len(log)
            ctx.set(output.pass_full, int(rng is None or rng.random() < 0.3))
            sample = {
                name: ctx.get(getattr(output, name))
                for name in ("busy", "done", "pass_begun", "pass_freed", "pass_ends", "last_set")
            }
            sample |= {name: ctx.get(getattr(output, name)) for name in ("starts", "row", "half", "token")}
            for lane in range(config.lanes):
                if sample["starts"] >> lane & 1:
                    running[lane] = (*running.get(lane, ()), (now + LANE, order[number], sample["row"]))
            for lane, pixels in leaving.items():
                ctx.set(writer.pixels[lane], pixels)
                ctx.set(writer.raw[lane], pixels[0] - 100)
            valid, leaving = 0, {}
            ahead = now + 1  # lanes say a clock before that a row leaves
            for lane, tiles in list(running.items()):
                running[lane] = tiles = tuple(tile for tile in tiles if ahead < tile[0] + TILE)
                for first, work, channel in (
                    reversed(tiles) if plan.token_interval < TILE else tiles
                ):  # a token cuts the last one off
                    row = rows_of(plan, ahead - first) if ahead >= first else None
                    if row is not None:
                        valid |= 1 << lane
                        leaving[lane] = made(work, channel, lane, row)
                        ctx.set(writer.rows[lane], row)
                        break
            ctx.set(writer.valid, valid)
            number += sample["pass_begun"]
            sample["write"] = sample["score"] = None
            if ctx.get(writer.w_en):
                mask, pixels = ctx.get(writer.w_mask), ctx.get(writer.w_pixels.as_value())
                first = ctx.get(writer.w_line) * line + offset
                sample["write"] = {first + i: pixels >> 8 * i & 255 for i in range(line) if mask >> i & 1}
            if ctx.get(writer.score_valid):
                sample["score"] = ctx.get(writer.score)
            offset = ctx.get(writer.w_offset)
            log.append(sample)
            idle = 0 if sample["busy"] or number < len(order) - 1 else idle + 1
            await ctx.tick()
            assert now < 60_000, "the controller does not end"

    simulate(dut, bench)
    return log


def expected(compiled, plan, images, maps):
    """Feature memory as {pixel: value}."""
    wanted, line = {}, compiled.config.line_pixels
    for image in range(images):
        for channel in range(plan.outputs):
            if plan.dot:
                first, pixel = position_of(plan.dest, image, channel // 64, channel // 8 % 8)
                wanted[first * line + pixel + channel % 8] = int(maps[image, channel, 0, 0])
                continue
            rows = range(plan.dest.shape[1])
            below = (plan.top_group + plan.group_rows) * plan.out_group_height
            for y in (
                rows
                if not plan.dest.ring and plan.group_rows * plan.out_group_height >= len(rows)
                else range(plan.top_group * plan.out_group_height, min(below, len(rows)))
            ):
                first, pixel = position_of(plan.dest, image, channel, y)
                for x in range(plan.dest.shape[2]):
                    wanted[first * line + pixel + x] = int(maps[image, channel, y, x])
    return wanted


LAYERS = [
    (name, streamed, instruction)
    for name in CASES
    for streamed in (False, True)
    for instruction, plan in enumerate(program(name, streamed).layers)
    if not streamed or (instruction == 0 and name in ("plain", "beside"))
]


@pytest.mark.parametrize(("name", "streamed", "instruction"), LAYERS)
def test_every_row_is_written_where_its_map_lies(simulate, name, streamed, instruction):
    compiled, rng = program(name, streamed), np.random.default_rng(instruction)
    plan = compiled.layers[instruction]
    images = compiled.config.batch if plan.dot or plan.images > 1 else min(2, compiled.config.batch)
    shape = (plan.outputs, 1, 1) if plan.dot else plan.dest.shape
    maps = rng.integers(0, 256, (images, *shape))
    log = run(simulate, compiled, instruction, images, maps, False)
    found = {}
    for sample in log:
        found |= sample["write"] or {}
    wanted = expected(compiled, plan, images, maps)
    assert found == wanted

    # Tokens follow each other without gaps; a pass is begun a clock before its first one.
    order = passes(plan, images)
    clock, begun, freed, halves, busy, ends = 0, [], [], [], [], []
    for number, (block, *_) in enumerate(order):
        begun.append(clock)
        tokens = plan.block_rows(block, compiled.config.rows)
        freed.append(clock + 1 + (tokens - 1) * plan.token_interval + plan.free_clock(REUSE_LEAD))
        for row in range(tokens):
            halves.append((clock + 2 + row * plan.token_interval, row, number % 2))
        busy += range(clock + 1, clock + 1 + tokens * plan.token_interval)
        clock += 1 + tokens * plan.token_interval
        ends.append((clock - 1, block >= plan.blocks - plan.blocks_per_transform))
    assert [n for n, sample in enumerate(log) if sample["pass_begun"]] == begun
    assert [n for n, sample in enumerate(log) if sample["pass_freed"]] == freed
    assert [n for n, sample in enumerate(log) if sample["done"]] == [clock - 1]
    assert [n for n, sample in enumerate(log) if sample["busy"]] == busy
    assert [(n, sample["last_set"]) for n, sample in enumerate(log) if sample["pass_ends"]] == ends
    assert [
        (n, sample["row"], sample["half"]) for n, sample in enumerate(log) if sample["starts"] & 1
    ] == halves
    for lane in range(compiled.config.lanes):
        row, used = lane // plan.lane_columns, lane < plan.lane_rows * plan.lane_columns
        starts = [n for n, sample in enumerate(log) if sample["starts"] >> lane & 1]
        assert starts == ([n + row * plan.skew for n, _, _ in halves] if used else [])


@pytest.mark.parametrize(
    ("name", "instruction", "images"),
    [(name, at, n) for name, at in (("beside", 0), ("packed", 1), ("plain", 0)) for n in (1, 2)]
    + [("beside", 0, 3)],
)
def test_a_smaller_batch_and_halves_that_fill_late(simulate, name, instruction, images):
    compiled, rng = program(name), np.random.default_rng(images)
    plan = compiled.layers[instruction]
    maps = rng.integers(0, 256, (images, *plan.dest.shape))
    log = run(simulate, compiled, instruction, images, maps, False, rng)
    found = {}
    for sample in log:
        found |= sample["write"] or {}
    assert found == expected(compiled, plan, images, maps)


@pytest.mark.parametrize("images", [3, 1])
def test_class_scores_leave_class_by_class_and_touch_no_memory(simulate, images):
    compiled, rng = program("plain"), np.random.default_rng(images)
    plan = compiled.layers[3]
    maps = rng.integers(0, 256, (images, plan.outputs, 1, 1))
    log = run(simulate, compiled, 3, images, maps, True)
    assert [sample["score"] for sample in log if sample["score"] is not None] == (
        maps.T.reshape(-1) - 100
    ).tolist()
    assert not any(sample["write"] for sample in log)
