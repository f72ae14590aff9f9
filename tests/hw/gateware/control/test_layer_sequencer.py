"""Sequencer: the pulses of a run, in order and in the clocks that the cost model counts."""

import random

import pytest

from hw.contract.latencies import SETTLE
from hw.gateware.control.layer_sequencer import Sequencer
from tests.hw.gateware.programs import program


def expected(first, last, tail, load, works, send):
    """Per clock after the start, until the run is done: load, begin, layer, in layer, send map, busy.

    ``load``: clocks the image port works; ``works``: of every layer, from begin to its last token;
    ``send``: clocks from the last pixel until all is sent, less than nothing if it was before.
    """
    clocks = [(1, 0, first, 0, 0, 0)]
    clocks += (load + 1) * [(0, 0, first, 0, 0, 1)]
    for layer, work in zip(range(first, last + 1), works, strict=True):
        clocks += SETTLE * [(0, 0, layer, 1, 0, 1)] + [(0, 1, layer, 1, 0, 1)]
        clocks += (work + 1 + tail) * [(0, 0, layer, 1, 0, 1)]
    clocks[-1] = (0, 0, last, 1, 1, 1)
    return clocks + max(1, send + 1) * [(0, 0, last, 0, 0, 1)]


@pytest.mark.parametrize("tail", [4, 39])
def test_a_run_of_some_layers(simulate, tail):
    compiled, dice = program("plain"), random.Random(tail)
    dut = Sequencer(compiled, tail)
    runs = [(0, 3, 5), (1, 1, 0), (3, 3, 9), (2, 3, 1), (0, 0, 3)]

    async def bench(ctx):
        for number, (first, last, load) in enumerate(runs):
            works = [dice.randrange(2, 20) for _ in range(first, last + 1)]
            send = dice.choice((-1, 0, 1, 7))
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            await ctx.tick().repeat(1 + number % 2)
            assert ctx.get(dut.done) == (number > 0)
            plan = expected(first, last, tail, load, works, send)
            sends = next(clock for clock, signals in enumerate(plan) if signals[4])
            begins = [clock for clock, signals in enumerate(plan) if signals[1]]
            over = {begin + work for begin, work in zip(begins, works, strict=True)}
            for clock, wanted in enumerate(plan):
                ctx.set(dut.start, int(clock == 0))
                ctx.set(dut.loading, int(1 <= clock <= load))
                ctx.set(dut.layer_done, int(clock in over))
                ctx.set(dut.sent, int(clock == sends + send))
                found = (dut.load, dut.begin, dut.layer, dut.in_layer, dut.send_map, dut.busy)
                assert tuple(ctx.get(port) for port in found) == wanted, f"run {number}, clock {clock}"
                assert clock == 0 or ctx.get(dut.done) == 0
                await ctx.tick()
            ctx.set(dut.sent, 0)
            for _ in range(3):
                assert (ctx.get(dut.busy), ctx.get(dut.done), ctx.get(dut.load)) == (0, 1, 0)
                await ctx.tick()

    simulate(dut, bench)
