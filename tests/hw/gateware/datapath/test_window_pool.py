"""Pooling windows that overlap or reach beyond the map, against the integer model, tile after tile."""

from dataclasses import replace

import numpy as np
import pytest

from hw.contract.formats import POST_SHIFT
from hw.contract.network import Conv
from hw.contract.spectrum import TILE
from hw.gateware.datapath.post import Post
from sim.model import post

BASE = Conv("conv", 1, 1, 3, padding=1)
SIZE = 11
"""Rows and columns of the map: with every layer below the last tiles are not whole."""

LEAK = 3

LAYERS = {
    "3x3 of stride 2": replace(BASE, pool=2, pool_size=3),
    "3x3 of stride 2, padded": replace(BASE, pool=2, pool_size=3, pool_padding=1),
    "3x3 of stride 2, rounding up": replace(BASE, pool=2, pool_size=3, pool_end_padding=1),
    "3x3 of stride 1, padded": replace(BASE, pool=1, pool_size=3, pool_padding=1),
    "3x3 of a 4x4 kernel": replace(
        BASE, kernel=4, padding=2, end_padding=1, pool=2, pool_size=3, pool_padding=1
    ),
    "3x3 of 1x1": replace(BASE, kernel=1, padding=0, pool=2, pool_size=3, pool_end_padding=2),
    "2x2, rounding up": replace(BASE, pool=2, pool_end_padding=1),
    "2x2": replace(BASE, pool=2),
    "stride 2": replace(BASE, stride=2),
    "nothing": BASE,
}


def run(simulate, layer, tiles, gaps):
    """(clock, row, pixels, raw) of every row that leaves, and the clocks in which tiles (edges, rows)
    began."""
    dut, plan, starts, seen = Post(TILE, strides=True, overlaps=True, leaks=(2, LEAK)), [], [], []
    for (edges, rows), gap in zip(tiles, gaps, strict=True):
        plan += [None] * gap
        starts.append(len(plan))
        plan += [(edges, y, row) for y, row in enumerate(rows.tolist())]
    plan += [None] * (dut.latency + 1)

    async def testbench(ctx):
        shape = (1, SIZE, SIZE)
        left = layer.conv_size(SIZE) + layer.pool_padding - (layer.tiles(shape)[0] - 1) * layer.tile_stride
        ctx.set(dut.relu, not layer.signed)
        ctx.set(dut.leak, 2 * (layer.leak == LEAK))
        ctx.set(dut.pool, layer.step == 2)
        ctx.set(dut.first, layer.stride == 2)
        ctx.set(dut.wide, layer.window == 3)
        ctx.set(dut.skipped, layer.pool_padding)
        ctx.set(dut.rows_left, min(TILE, left))
        ctx.set(dut.columns_left, min(TILE, left))
        leaving = None
        for now, entry in enumerate(plan):
            ctx.set(dut.start, entry is not None and entry[1] == 0)
            ctx.set(dut.pixels, [-12345] * TILE if entry is None else entry[2])
            if entry is not None and entry[1] == 0:
                ctx.set(
                    dut.edges, dict(zip(("top", "bottom", "left", "right"), map(int, entry[0]), strict=True))
                )
            if leaving is not None:
                seen.append((now, leaving, [ctx.get(p) for p in dut.o_pixels], ctx.get(dut.raw)))
            leaving = ctx.get(dut.row) if ctx.get(dut.valid) else None
            await ctx.tick()

    simulate(dut, testbench)
    return seen, starts, dut.latency


@pytest.mark.parametrize("fields", [{}, {"relu": False}, {"leak": LEAK}], ids=str)
@pytest.mark.parametrize("name", LAYERS)
def test_maps_are_those_of_the_model(simulate, name, fields):
    """Every tile of a map, in the order of the machine, some right behind one another."""
    layer, rng = replace(LAYERS[name], **fields), np.random.default_rng(len(name))
    rows, columns = layer.tiles((1, SIZE, SIZE))
    tiles, wanted = [], []
    for row in range(rows):
        outputs = rng.integers(-(200 << POST_SHIFT), 300 << POST_SHIFT, (TILE, TILE, 1, columns, 1))
        side = layer.tile_side
        pixels = post.requantise(outputs[:side, :side], layer)
        if layer.overlaps:
            post.hide(pixels, layer, row, (1, SIZE, SIZE))
        made = post.reduce(pixels, layer)
        for column in range(columns):
            inner = layer.overlaps  # others hide nothing
            edges = (
                row == 0 and inner,
                row == rows - 1 and inner,
                column == 0 and inner,
                column == columns - 1 and inner,
            )
            tiles.append((edges, outputs[:, :, 0, column, 0]))
            wanted.append(made[:, :, 0, column, 0])
    gaps = [0, 0, 3, *rng.integers(0, 3, len(tiles))][: len(tiles)]
    seen, starts, latency = run(simulate, layer, tiles, gaps)
    kept = layer.tile_outputs
    taken = [entry for entry in seen if entry[1] < kept]
    assert len(taken) == kept * len(tiles)
    for i, (clock, row, pixels, raw) in enumerate(taken):
        tile, y = divmod(i, kept)
        late = layer.step - 1 if layer.window < 3 else 0
        assert (clock, row) == (starts[tile] + latency + y * layer.step + late, y)
        found = np.array(pixels[:kept], np.int64) & 0xFF
        np.testing.assert_array_equal(found, wanted[tile][y].astype(np.int64) & 0xFF, f"tile {tile}, row {y}")
        if y == 0:
            assert raw == tiles[tile][1][0, 0]
