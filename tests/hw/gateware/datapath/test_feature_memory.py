"""Unaligned lines in, unaligned lines out, at one per clock."""

import numpy as np
import pytest

from hw.gateware.datapath.feature_memory import FeatureMemory

DEPTH = 12


@pytest.mark.parametrize("line", [8, 16, 32])
def test_reads_and_writes_anywhere(simulate, line):
    rng = np.random.default_rng(line)
    dut = FeatureMemory(line, DEPTH)
    # One spare line at the end: a window may reach into the line after its own.
    truth = np.zeros(DEPTH * line, dtype=int)
    asked, got = [], []

    async def bench(ctx):
        offset = 0
        for _ in range(200):  # writes, some of them idle, each offset a clock before its line
            at, next_offset = int(rng.integers(DEPTH - 1)), int(rng.integers(line))
            pixels, mask = rng.integers(256, size=line), rng.integers(2, size=line)
            enable = int(rng.integers(4) > 0)
            ctx.set(dut.w_en, enable)
            ctx.set(dut.w_line, at)
            ctx.set(dut.w_offset, next_offset)
            ctx.set(dut.w_pixels, pixels.tolist())
            ctx.set(dut.w_mask, sum(int(b) << i for i, b in enumerate(mask)))
            if enable:
                position = at * line + offset + np.flatnonzero(mask)
                truth[position] = pixels[mask == 1]
            offset = next_offset
            await ctx.tick()
        ctx.set(dut.w_en, 0)
        await ctx.tick().repeat(dut.write_latency - 1)
        for clock in range(100 + dut.latency):  # a read per clock
            at, offset = int(rng.integers(DEPTH - 1)), int(rng.integers(line))
            # Half of the reads are plain, the others take some banks from another line.
            plain = clock % 2
            far_line, far = (at + 1, 0) if plain else (int(rng.integers(DEPTH)), int(rng.integers(1 << line)))
            ctx.set(dut.r_line, at)
            ctx.set(dut.r_far_line, far_line)
            ctx.set(dut.r_far, far)
            ctx.set(dut.r_offset, offset)
            lines = [far_line if far >> bank & 1 or bank < offset else at for bank in range(line)]
            banks = (offset + np.arange(line)) % line
            asked.append(truth[np.array(lines)[banks] * line + banks].copy())
            assert not plain or (asked[-1] == truth[at * line + offset :][:line]).all()
            if clock >= dut.latency:
                got.append([ctx.get(pixel) for pixel in dut.pixels])
            await ctx.tick()

    simulate(dut, bench)
    np.testing.assert_array_equal(got, asked[: len(got)])


def test_a_pixel_is_readable_write_latency_later(simulate):
    dut = FeatureMemory(16, DEPTH)
    seen = []

    async def bench(ctx):
        ctx.set(dut.w_en, 1)
        ctx.set(dut.w_mask, 1)
        ctx.set(dut.w_pixels, [99] + [0] * 15)
        await ctx.tick()
        ctx.set(dut.w_en, 0)
        for clock in range(1, dut.write_latency + dut.latency + 1):
            seen.append((clock, ctx.get(dut.pixels[0])))
            await ctx.tick()

    simulate(dut, bench)
    # Asked for `latency` clocks before it shows, one clock of memory write in between.
    first = next(clock for clock, pixel in seen if pixel == 99)
    assert first <= dut.write_latency + dut.latency
