"""Stage sequencer: a stage's way through the layers of a run, in the clocks that the cost model counts."""

import random

import pytest

from hw.contract.latencies import SETTLE
from hw.gateware.control.stage_sequencer import StageSequencer
from tests.hw.gateware.programs import program

RUNS = [(0, 3), (1, 1), (3, 3), (2, 3), (0, 0)]


def expected(first, last, tail, works, holds):
    """Per clock after ``go``, until the stage has finished: begin, layer, begun, active, finished.

    ``works``: of every layer, clocks from ``begin`` to its last one; ``holds``: clocks beyond its tail in
    which the stage may not go on.
    """
    clocks = [(0, first, 0, 0, 0)]
    for layer, work, hold in zip(range(first, last + 1), works, holds, strict=True):
        clocks += SETTLE * [(0, layer, 0, 1, 0)] + [(1, layer, 0, 1, 0)]
        clocks += (work + 1 + tail + hold) * [(0, layer, 1, 1, 0)]
    clocks[-1] = (0, last, 1, 1, 1)
    return clocks


@pytest.mark.parametrize("tail", [4, 39])
def test_runs_through_some_layers(simulate, tail):
    compiled, dice = program("plain"), random.Random(tail)
    dut = StageSequencer(compiled, tail)

    async def bench(ctx):
        for number, (first, last) in enumerate(RUNS):
            count = last - first + 1
            works = [dice.randrange(2, 20) for _ in range(count)]
            holds = [dice.choice((0, 0, 1, 5)) for _ in range(count - 1)] + [0]
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            await ctx.tick().repeat(1 + number % 2)
            plan = expected(first, last, tail, works, holds)
            begins = [clock for clock, signals in enumerate(plan) if signals[0]]
            done = {begin + work for begin, work in zip(begins, works, strict=True)}
            # The clocks in which it is held: between a layer's tail and the next one.
            held = {
                clock
                for begin, work, hold in zip(begins, works, holds, strict=True)
                for clock in range(begin + work + tail + 1, begin + work + tail + 1 + hold)
            }
            for clock, wanted in enumerate(plan):
                ctx.set(dut.go, int(clock == 0))
                ctx.set(dut.done, int(clock in done))
                # Whether it may matters at the end of a tail alone, and not for the last layer.
                last_one = clock > begins[-1]
                ctx.set(dut.may, int(dice.random() < 0.5 if last_one else clock not in held))
                found = (dut.begin, dut.layer, dut.begun, dut.active, dut.finished)
                assert tuple(ctx.get(port) for port in found) == wanted, f"run {number}, clock {clock}"
                await ctx.tick()
            ctx.set(dut.done, 0)
            for _ in range(3):
                assert (ctx.get(dut.active), ctx.get(dut.finished), ctx.get(dut.begin)) == (0, 0, 0)
                await ctx.tick()

    simulate(dut, bench)
