"""The credits of a ping-pong buffer against a count in Python."""

import random

from hw.gateware.primitives.ping_pong import BUFFERS, PingPong


def test_never_more_than_two_taken_and_none_begun_that_is_not_full(simulate):
    dut, dice = PingPong(), random.Random(4)
    seen = set()

    async def bench(ctx):
        reserved = full = filling = begun = 0
        for _ in range(600):
            assert ctx.get(dut.can_reserve) == (reserved < BUFFERS)
            assert ctx.get(dut.can_begin) == (full > 0)
            reserve = ctx.get(dut.can_reserve) and dice.random() < 0.5
            fill = filling and dice.random() < 0.5
            begin = ctx.get(dut.can_begin) and dice.random() < 0.5
            free = begun and dice.random() < 0.5
            for port, value in (
                (dut.reserve, reserve),
                (dut.fill, fill),
                (dut.begin, begin),
                (dut.free, free),
            ):
                ctx.set(port, int(bool(value)))
            seen.add((reserved, full, bool(reserve), bool(fill), bool(begin), bool(free)))
            await ctx.tick()
            reserved += bool(reserve) - bool(free)
            filling += bool(reserve) - bool(fill)
            full += bool(fill) - bool(begin)
            begun += bool(begin) - bool(free)

    simulate(dut, bench)
    assert len(seen) > 20
