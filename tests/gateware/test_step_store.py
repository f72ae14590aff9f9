"""The step store's promise of room: beats that were asked for never lie over a step that is still in use."""

import numpy as np
import pytest

from hw.gateware.step_store import StepStore
from tests.gateware.streamed import NARROW, WIDE, layer_beats, program


@pytest.mark.parametrize("latency", [1, 40])
@pytest.mark.parametrize(
    "array",
    [{"bus_bits": 64}, {"bus_bits": 128, "rows": 12}, {"bus_bits": 32, "layer_bits": NARROW}, WIDE],
)
def test_a_greedy_reader_fills_the_store_and_no_more(simulate, array, latency):
    """Each time nothing is left to ask for, one step is freed: so room ends anywhere."""
    compiled = program(**array, depth=128)
    dut, plan = StepStore(compiled.stream), compiled.stream
    beats = [beat for layer in layer_beats(compiled) for beat in layer]
    ends = np.cumsum(plan.layer_beats)
    begun, whole = steps_of_beats(plan)
    in_use = []

    async def bench(ctx):
        asked = given = freed = idle = clock = 0
        due = []  # the clock from which every beat may come
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while given < len(beats):
            burst = 0
            if ctx.get(dut.room) and clock % 2 == 0 and asked < len(beats):
                burst = min(plan.burst_beats, int(ends[np.searchsorted(ends, asked, "right")]) - asked)
            due += burst * [clock + latency]
            comes = given < asked and due[given] <= clock
            free = idle > 12 and freed < whole[given]  # 12: more than a count is late by
            ctx.set(dut.asked, int(burst > 0))
            ctx.set(dut.asked_beats, burst)
            ctx.set(dut.valid, int(comes))
            ctx.set(dut.beat, beats[given])
            ctx.set(dut.freed, int(free))
            await ctx.tick()
            asked, given, freed, clock = asked + burst, given + comes, freed + free, clock + 1
            idle = 0 if free or burst or given < asked else idle + 1
            in_use.append(begun[given] - freed)
            assert clock < 100 * len(beats), "the store promises no room"

    simulate(dut, bench)
    assert plan.depth - 5 < max(in_use) <= plan.depth


def steps_of_beats(plan):
    """Steps that the first so many beats, from none to all, have begun, and that they hold whole."""
    begun, whole, before = [0], [0], 0
    for steps, beats, units in zip(plan.layer_steps, plan.layer_beats, plan.layer_units, strict=True):
        held = np.arange(1, beats + 1) * plan.beat_units
        begun += (before + np.minimum(steps, -(-held // units))).tolist()
        whole += (before + np.minimum(steps, held // units)).tolist()
        before += steps
    return begun, whole
