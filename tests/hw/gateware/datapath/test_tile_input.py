"""Tile input against the forward transform of the model: words, and where they go in the X buffer."""

import numpy as np
import pytest

from hw.contract.spectrum import TILE, WORDS
from hw.gateware.datapath.tile_input import TileInput
from sim.model.fft import forward

CHANNELS, GROUP_BITS = 30, 2


def write(ctx, dut):
    """What is written: (bank, half, group, t, words), None for nothing."""
    if not ctx.get(dut.w_en):
        return None
    words = [(ctx.get(word.re), ctx.get(word.im)) for word in dut.w_words]
    return tuple(ctx.get(port) for port in (dut.w_bank, dut.w_half, dut.w_group, dut.w_t)), words


@pytest.mark.parametrize("bits", [16, 11])
def test_tiles_with_and_without_gaps(simulate, bits):
    rng = np.random.default_rng(2)
    tables = rng.integers(0, 6, (2, WORDS)).astype(np.uint8) if bits < 16 else np.zeros((1, WORDS), np.uint8)
    dut = TileInput(CHANNELS, GROUP_BITS, bits, tables.tolist())
    tiles = rng.integers(0, 256, (5, TILE, TILE))
    channels, halves = [29, 8, 7, 0, 16], [0, 1, 1, 0, 1]
    starts = [1, 9, 20, 28, 41]
    written = {}

    async def bench(ctx):
        if bits < 16:
            ctx.set(dut.table, 1)
        for now in range(starts[-1] + dut.latency + 2 * TILE):
            at = [n for n, start in enumerate(starts) if start - 1 == now]
            ctx.set(dut.start, len(at))
            ctx.set(dut.channel, channels[at[0]] if at else int(rng.integers(CHANNELS)))
            ctx.set(dut.half, halves[at[0]] if at else int(rng.integers(2)))
            row = [tiles[n][now - start] for n, start in enumerate(starts) if 0 <= now - start < TILE]
            ctx.set(dut.window, row[0].tolist() if row else rng.integers(0, 256, TILE).tolist())
            written[now] = write(ctx, dut)
            assert ctx.get(dut.w_swap) == 1
            await ctx.tick()

    simulate(dut, bench)
    wanted = {}
    for tile, channel, half, start in zip(tiles, channels, halves, starts, strict=True):
        words = forward(tile, bits, tables[-1])
        for t in range(TILE):
            four = [tuple(int(part) for part in word) for word in words[4 * t : 4 * t + 4]]
            wanted[start + dut.latency + t] = ((channel % 8, half, channel // 8, t), four)
    assert {now: found for now, found in written.items() if found} == wanted


@pytest.mark.parametrize(("bits", "low", "high"), [(16, -128, 256), (9, -128, 256), (8, -128, 128)])
def test_dot_mode_passes_pairs_of_pixels(simulate, bits, low, high):
    rng = np.random.default_rng(3)
    dut = TileInput(CHANNELS, GROUP_BITS, bits, [[16 - bits] * WORDS])

    async def bench(ctx):
        ctx.set(dut.dot, 1)
        started, channel, row, half = False, 0, 0, 0
        for _ in range(40):
            pixels = rng.integers(low, high, TILE).tolist()
            ctx.set(dut.window, pixels)
            if started:
                pairs = list(zip(pixels[::2], pixels[1::2], strict=True))
                assert write(ctx, dut) == ((channel % 8, half, channel // 8, row), pairs)
                assert ctx.get(dut.w_swap) == 0
            else:
                assert write(ctx, dut) is None
            started = bool(rng.random() < 0.5)
            channel, row, half = (int(rng.integers(limit)) for limit in (CHANNELS, TILE, 2))
            for port, value in ((dut.channel, channel), (dut.row, row), (dut.half, half)):
                ctx.set(port, value)
            ctx.set(dut.start, int(started))
            await ctx.tick()

    simulate(dut, bench)


def test_tiles_of_pixels_pass_as_they_are(simulate):
    """Of tiles that have fewer than 8 rows the next one begins sooner, and cuts the last one off."""
    rng = np.random.default_rng(4)
    dut = TileInput(CHANNELS, GROUP_BITS, pairs=True)
    starts, channels, halves = [2, 5, 6, 14, 30], [3, 9, 29, 8, 0], [0, 0, 1, 1, 0]
    found, wanted = {}, {}

    async def bench(ctx):
        ctx.set(dut.raw, 1)
        for now in range(starts[-1] + 2 * TILE):
            at = starts.index(now + 1) if now + 1 in starts else None
            ctx.set(dut.start, int(at is not None))
            ctx.set(dut.channel, int(rng.integers(CHANNELS)) if at is None else channels[at])
            ctx.set(dut.half, int(rng.integers(2)) if at is None else halves[at])
            pixels = rng.integers(-128, 256, TILE).tolist()
            ctx.set(dut.window, pixels)
            before = [n for n, start in enumerate(starts) if start <= now]
            if before and now < starts[before[-1]] + TILE:
                n = before[-1]
                place = (channels[n] % 8, halves[n], channels[n] // 8, now - starts[n])
                wanted[now] = place, list(zip(pixels[::2], pixels[1::2], strict=True))
            if (written := write(ctx, dut)) is not None:
                found[now] = written
                assert ctx.get(dut.w_swap) == 0
            await ctx.tick()

    simulate(dut, bench)
    assert found == wanted
