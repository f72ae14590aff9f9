"""Banks in UltraRAM keep what was written: what synthesis makes of them is in ``test_ultra_ram.py``."""

import numpy as np
import pytest

from hw.gateware.datapath.ultra_bank import UltraBank


@pytest.mark.parametrize("depth", [300, 4096, 4100, 15360, 40000])
def test_it_keeps_every_line(simulate, depth):
    """Random lines, and those around every word's first and last byte: each is read two clocks
    after its address, while others are asked for already."""
    rng = np.random.default_rng(depth)
    dut = UltraBank(depth)
    edges = [line for k in range(10) for line in (4096 * k - 1, 4096 * k) if 0 <= line < depth]
    lines = [*edges, depth - 1, *rng.integers(depth, size=60)]
    truth: dict[int, int] = {}
    got = []

    async def bench(ctx):
        for line in lines:
            pixel = int(rng.integers(1, 256))
            written = int(rng.integers(5) > 0)
            ctx.set(dut.w_en, written)
            ctx.set(dut.w_addr, int(line))
            ctx.set(dut.w_data, pixel)
            if written:
                truth[int(line)] = pixel
            await ctx.tick()
        ctx.set(dut.w_en, 0)
        ctx.set(dut.w_data, 77)
        for line in lines:
            ctx.set(dut.r_addr, int(line))
            await ctx.tick()
            ctx.set(dut.r_addr, int(rng.integers(depth)))
            await ctx.tick()
            ctx.set(dut.r_addr, int(rng.integers(depth)))
            got.append(ctx.get(dut.r_data))

    simulate(dut, bench)
    assert got == [truth.get(int(line), 0) for line in lines]
