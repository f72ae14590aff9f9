"""The credits of a ping-pong buffer against a count in Python."""

import random

from hw.gateware.primitives.ping_pong import HALVES, PingPong


def test_never_more_than_two_taken_and_none_begun_that_is_not_full(simulate):
    dut, dice = PingPong(), random.Random(4)
    seen = set()

    async def bench(ctx):
        taken = full = filling = begun = 0
        for _ in range(600):
            assert ctx.get(dut.can_take) == (taken < HALVES)
            assert ctx.get(dut.can_begin) == (full > 0)
            take = ctx.get(dut.can_take) and dice.random() < 0.5
            fill = filling and dice.random() < 0.5
            begin = ctx.get(dut.can_begin) and dice.random() < 0.5
            free = begun and dice.random() < 0.5
            for port, value in ((dut.take, take), (dut.fill, fill), (dut.begin, begin), (dut.free, free)):
                ctx.set(port, int(bool(value)))
            seen.add((taken, full, bool(take), bool(fill), bool(begin), bool(free)))
            await ctx.tick()
            taken += bool(take) - bool(free)
            filling += bool(take) - bool(fill)
            full += bool(fill) - bool(begin)
            begun += bool(begin) - bool(free)

    simulate(dut, bench)
    assert len(seen) > 20
