"""A queue in shares: words as they came, whatever stalls; no net that drives all of their bits."""

import random
from collections import deque

import pytest
from amaranth.hdl import ResetInserter, Signal

from bitstreams.synthesis.paths import HOST_LOADS
from hw.gateware.primitives.wide_queue import WideQueue

LATENCY = 2


@pytest.mark.parametrize(("supply", "demand"), [(1, 1), (0.9, 0.2), (0.3, 1), (0.6, 0.6)])
@pytest.mark.parametrize(("width", "depth"), [(20, 2), (64, 4), (130, 4), (257, 5)])
def test_words_leave_as_they_came(simulate, width, depth, supply, demand):
    dut, dice = WideQueue(width, depth), random.Random(width)
    held, filled = deque(), set()  # words and the clocks in which they came

    async def bench(ctx):
        for clock in range(400):
            comes = dice.random() < supply
            word = dice.getrandbits(width)
            ctx.set(dut.w_en, int(comes))
            ctx.set(dut.w_data, word)
            takes = dice.random() < demand
            ctx.set(dut.r_en, int(takes))
            offered, room = ctx.get(dut.r_rdy), ctx.get(dut.w_rdy)
            assert offered == bool(held and held[0][1] + LATENCY <= clock)
            assert room or len(held) >= depth - 1, "room for one that is not taken"
            if offered:
                assert ctx.get(dut.r_data) == held[0][0]
            await ctx.tick()
            if offered and takes:
                held.popleft()
            if comes and room:
                held.append((word, clock))
            filled.add(len(held))

    simulate(dut, bench)
    assert max(filled) == depth if supply > demand else max(filled) >= 1


def test_a_reset_empties_every_share(simulate):
    dut, reset = WideQueue(130, 4), Signal()

    async def bench(ctx):
        for word in (1, (1 << 130) - 1):
            ctx.set(dut.w_en, 1)
            ctx.set(dut.w_data, word)
            await ctx.tick()
        ctx.set(dut.w_en, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert (ctx.get(dut.r_rdy), ctx.get(dut.w_rdy)) == (0, 1)
        ctx.set(dut.w_en, 1)
        ctx.set(dut.w_data, 5 << 100 | 3)
        await ctx.tick()
        ctx.set(dut.w_en, 0)
        await ctx.tick()
        assert (ctx.get(dut.r_rdy), ctx.get(dut.r_data)) == (1, 5 << 100 | 3)

    simulate(ResetInserter(reset)(dut), bench)


def test_no_net_drives_all_bits(fan_out):
    """A word of 514 bits has five shares."""
    _, loads = fan_out(WideQueue(514, 4))
    assert max(loads) < HOST_LOADS, loads[max(loads)]
