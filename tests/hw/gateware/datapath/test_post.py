"""Post-processing against numpy: rounding, both pixel formats, pooling, class scores."""

import numpy as np
import pytest

from hw.contract.formats import POST_SHIFT, activation_format, leaked, round_shift
from hw.contract.spectrum import TILE
from hw.gateware.datapath.post import RAW_BITS, Post


def tiles(seed, count):
    """Tiles with numbers of all sizes; in every other one most pixels keep within their format."""
    rng = np.random.default_rng(seed)
    limit = 1 << (RAW_BITS - 1)
    for i in range(count):
        size = 1 << (rng.integers(0, RAW_BITS, (TILE, TILE)) if i % 2 else 15)
        tile = np.clip(rng.integers(-size, size, (TILE, TILE), endpoint=True), -limit, limit - 1)
        tile[rng.random(tile.shape) < 0.05] = rng.choice([-limit, limit - 1])
        # Ties: halves of a pixel round up.
        yield np.where(rng.random(tile.shape) < 0.1, tile | (1 << (POST_SHIFT - 1)), tile)


def expected(tile, relu, pool, first=0, leak=0):
    pixels = activation_format(not relu).saturate(round_shift(leaked(tile, leak), POST_SHIFT))
    if first:
        return pixels[::2, ::2]
    if pool:
        pixels = pixels.reshape(TILE // 2, 2, TILE // 2, 2).max(axis=(1, 3))
    return pixels


def run(simulate, dut, images, gaps, relu, pool, first=0, leak=0):
    """(clock, row, pixels, raw) of every valid row, and the clocks in which the tiles began."""
    seen, starts = [], []
    plan = []
    for tile, gap in zip(images, gaps, strict=True):
        plan += [None] * gap
        starts.append(len(plan))
        plan += [(y, row) for y, row in enumerate(tile.tolist())]
    plan += [None] * dut.latency

    async def testbench(ctx):
        ctx.set(dut.relu, relu)
        ctx.set(dut.pool, pool)
        if dut.strides:
            ctx.set(dut.first, first)
        if dut.leaks:
            ctx.set(dut.leak, (0, *dut.leaks).index(leak))
        leaving = None
        for now, entry in enumerate(plan):
            ctx.set(dut.start, entry is not None and entry[0] == 0)
            ctx.set(dut.pixels, [-12345] * TILE if entry is None else entry[1])
            if leaving is not None:
                seen.append((now, leaving, [ctx.get(p) for p in dut.o_pixels], ctx.get(dut.raw)))
            leaving = ctx.get(dut.row) if ctx.get(dut.valid) else None
            await ctx.tick()

    simulate(dut, testbench)
    return seen, starts


@pytest.mark.parametrize("relu", [0, 1])
@pytest.mark.parametrize(
    ("pool", "first", "strides"), [(0, 0, 0), (1, 0, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1)]
)
@pytest.mark.parametrize("columns", [4, 5, 6, 8])
def test_tiles_back_to_back_and_with_gaps(simulate, relu, pool, first, strides, columns):
    """Where the network has strides and where not; ``first``: the layer at hand has one."""
    images = list(tiles(seed=columns, count=12))
    gaps = [0, 0, 0, 1, 0, 5, 9, 0, 2, 0, 0, 3]
    dut = Post(columns, bool(strides))
    seen, starts = run(simulate, dut, images, gaps, relu, pool, first)
    rows, step = TILE // (1 + pool), 1 + pool
    assert len(seen) == rows * len(images)
    for i, (clock, row, pixels, raw) in enumerate(seen):
        tile, y = divmod(i, rows)
        # Pooled rows leave `latency` clocks after the second of their two.
        assert (clock, row) == (starts[tile] + step * y + pool + dut.latency, y)
        kept = columns // step
        found = np.array(pixels[:kept], dtype=np.uint8)
        found = found if relu else found.astype(np.int8)
        wanted = expected(images[tile], relu, pool, first)[y, :kept]
        np.testing.assert_array_equal(found, wanted, f"tile {tile}")
        if y == 0:
            assert raw == images[tile][0, 0]


@pytest.mark.parametrize("relu", [0, 1])
def test_every_pixel_value_and_the_ties_between_them(simulate, relu):
    """Around every boundary between two pixels, beyond both limits."""
    edges = (np.arange(-160, 288)[:, None] << POST_SHIFT) + (1 << (POST_SHIFT - 1)) + np.arange(-1, 1)
    images = edges.reshape(-1, TILE, TILE)
    seen, _ = run(simulate, Post(), images, [0] * len(images), relu, 0)
    found = np.array([pixels for _, _, pixels, _ in seen], dtype=np.uint8)
    found = found if relu else found.astype(np.int8)
    np.testing.assert_array_equal(found.reshape(images.shape), expected_all(images, relu))


@pytest.mark.parametrize("leaks", [(3,), (1, 7), (2, 3, 5)])
def test_slopes_below_zero(simulate, leaks):
    """Of every layer of such a network, with and without ReLU of its own: ties, limits, pooling of signed
    pixels."""
    dut = Post(leaks=leaks)
    for leak in (0, *leaks):
        edges = (np.arange(-160, 160)[:, None] << POST_SHIFT + leak) + (1 << POST_SHIFT + leak - 1)
        images = [*(edges + np.arange(-1, 1)).reshape(-1, TILE, TILE), *tiles(seed=leak, count=6)]
        for relu, pool in ((0, 0), (0, 1), *([(1, 0)] if not leak else [])):
            seen, _ = run(simulate, dut, images, [0] * len(images), relu, pool, leak=leak)
            found = np.array([pixels for _, _, pixels, _ in seen], dtype=np.uint8)[:, : TILE // (1 + pool)]
            wanted = [expected(tile, relu, pool, leak=leak).astype(np.uint8) for tile in images]
            np.testing.assert_array_equal(found, np.concatenate(wanted))


def expected_all(images, relu):
    return np.array([expected(tile, relu, 0) for tile in images])


def test_no_register_is_wider_than_its_pixels(widths):
    """A pixel of either kind fits nine bits."""
    for leaks in ((), (1, 7)):
        dut = Post(leaks=leaks)
        found = widths(dut)
        assert any("leak" in name for name in found) == bool(leaks), "a multiplexer for no layer"
        for i in range(dut.columns):
            assert (found[f"clipped_{i}"], found[f"pair_{i}"]) == (9, 9)


@pytest.mark.slow
def test_cost(synthesise):
    """No DSP slice, no latch, no memory."""
    cells = synthesise(Post())
    assert not any(name.startswith(("DSP", "LD", "RAM")) for name in cells), cells
