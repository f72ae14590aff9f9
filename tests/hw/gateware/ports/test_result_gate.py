"""The result gate: whenever a run is broken off, a stream's promises are kept and no frame stays open."""

import random

import pytest

from hw.gateware.ports.result_gate import ResultGate
from tests.hw.gateware.streams import Receiver


@pytest.mark.parametrize(("seed", "bits"), [*((seed, 32) for seed in range(5)), (5, 128)])
def test_frames_of_broken_runs_are_closed_and_others_are_whole(simulate, seed, bits):
    """``sent``: what the core handed over, run by run, a broken one with the number of beats it then had."""
    rng = random.Random(seed)
    dut, high = ResultGate(bits), 1 << bits - 1  # the highest bit is set in all that is sent
    receiver = Receiver(dut.o, rng, share=(0.9, 0.5, 0.1)[seed % 3])
    expected, counts = [], {"closed": 0, "whole": 0, "answered": 0, "nothing": 0}

    async def bench(ctx):
        async def clock():
            receiver.clock(ctx)
            await ctx.tick()

        for run in range(120):
            length = rng.randrange(1, 7)
            frame = [high | 1000 * run + i + 1 for i in range(length)]
            cut = rng.choice([None, rng.randrange(3), rng.randrange(25)])  # clocks until an abort
            answered = rng.random() < 0.5  # if it is broken off
            while answered and ctx.get(dut.leftover):
                await clock()
            given, now = 0, 0
            while given < length if cut is None else now < cut:
                offers = given < length and rng.random() < 0.7
                while True:
                    ctx.set(dut.i.tvalid, int(offers))
                    if offers:
                        ctx.set(dut.i.tdata, frame[given])
                        ctx.set(dut.i.tlast, int(given == length - 1))
                    receiver.clock(ctx)
                    taken = offers and ctx.get(dut.i.tready)
                    await ctx.tick()
                    given, now = given + bool(taken), now + 1
                    if taken or not offers or (cut is not None and now >= cut):
                        break
            ctx.set(dut.i.tvalid, 0)
            if cut is None:
                assert given == length
                while ctx.get(dut.held):  # the run is not over before
                    await clock()
            else:
                answer = given < length and answered
                ctx.set(dut.i.tvalid, int(given < length))  # the core's queue knows nothing of it yet
                ctx.set(dut.abort, 1)
                ctx.set(dut.answer, int(answer))
                receiver.clock(ctx)
                assert not ctx.get(dut.i.tready)
                await ctx.tick()
                ctx.set(dut.i.tvalid, 0)
                ctx.set(dut.abort, 0)
                ctx.set(dut.answer, 0)
                assert not ctx.get(dut.held)
                if rng.random() < 0.5:  # else the next run follows at once
                    while ctx.get(dut.leftover):
                        await clock()
            if cut is not None and given < length:
                counts["closed" if given else "answered" if answer else "nothing"] += 1
                if given or answer:
                    expected.append([*frame[:given], 0])
            else:
                counts["whole"] += 1
                expected.append(frame)
        while ctx.get(dut.o.tvalid) or ctx.get(dut.leftover):
            await clock()

    simulate(dut, bench)
    assert receiver.frames == [*expected, []]
    assert min(counts.values()) > 0, counts


def test_leftover_falls_with_the_last_beat(simulate):
    """An abort while a frame is open, nobody ready; then while a whole one waits."""

    async def bench(ctx):
        for last in (0, 1):
            ctx.set(dut.i.tvalid, 1)
            ctx.set(dut.i.tdata, 7)
            ctx.set(dut.i.tlast, last)
            await ctx.tick()
            ctx.set(dut.i.tvalid, 0)
            assert ctx.get(dut.held) and not ctx.get(dut.leftover)
            for _ in range(2):  # a second abort changes nothing
                ctx.set(dut.abort, 1)
                await ctx.tick()
                ctx.set(dut.abort, 0)
                await ctx.tick().repeat(5)
                assert ctx.get(dut.leftover) and not ctx.get(dut.held) and ctx.get(dut.o.tdata) == 7
            ctx.set(dut.o.tready, 1)
            seen = []
            while ctx.get(dut.leftover):
                seen.append((ctx.get(dut.o.tdata), ctx.get(dut.o.tlast)))
                await ctx.tick()
            assert seen == [(7, 1)] if last else [(7, 0), (0, 1)]
            assert not ctx.get(dut.o.tvalid)
            ctx.set(dut.o.tready, 0)

    dut = ResultGate()
    simulate(dut, bench)
