"""The weight buffer: steps come out as they went in, are counted when they can be read, and have room."""

import numpy as np
import pytest

from hw.compile.weight_stream import KEPT_FREE
from hw.gateware.weights.weight_buffer import WeightBuffer
from tests.hw.gateware.streamed import NARROW, WIDE, layer_beats, program, step_values


@pytest.mark.parametrize("latency", [1, 40])
@pytest.mark.parametrize(
    "array",
    [{"bus_bits": 64}, {"bus_bits": 128, "rows": 12}, {"bus_bits": 32, "layer_bits": NARROW}, WIDE],
)
def test_a_greedy_reader_fills_the_buffer_and_no_more(simulate, array, latency):
    """Each time nothing is left to ask for, one step is freed: so credit ends anywhere."""
    compiled = program(**array, depth=128)
    dut, plan = WeightBuffer(compiled.stream), compiled.stream
    beats = [beat for layer in layer_beats(compiled) for beat in layer]
    ends = np.cumsum(plan.layer_beats)
    begun, whole = steps_of_beats(plan)
    in_use, waits = [], set()

    async def bench(ctx):
        asked = given = freed = idle = clock = 0
        freed_at = None  # the clock of a free that has not made room yet
        due = []  # the clock from which every beat may come
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        while given < len(beats):
            burst = 0
            if ctx.get(dut.credit) and clock % 2 == 0 and asked < len(beats):
                burst = min(plan.burst_beats, int(ends[np.searchsorted(ends, asked, "right")]) - asked)
            due += burst * [clock + latency]
            comes = given < asked and due[given] <= clock
            if freed_at is not None and ctx.get(dut.credit):
                waits.add(clock - freed_at)
                freed_at = None
            free = idle > 12 and freed < whole[given]  # 12: more than a count is late by
            ctx.set(dut.requested, int(burst > 0))
            ctx.set(dut.requested_beats, burst)
            ctx.set(dut.valid, int(comes))
            ctx.set(dut.beat, beats[given])
            ctx.set(dut.freed, int(free))
            freed_at = clock if free else freed_at
            await ctx.tick()
            asked, given, freed, clock = asked + burst, given + comes, freed + free, clock + 1
            idle = 0 if free or burst or given < asked else idle + 1
            in_use.append(begun[given] - freed)
            assert clock < 100 * len(beats), "the buffer gives no credit"

    simulate(dut, bench)
    assert plan.depth - 5 < max(in_use) <= plan.depth
    assert waits == {3}, "clocks from a free to the room that it makes"


def test_there_is_credit_to_the_last_unit_of_room(simulate):
    """Room is reserved a beat at a time: there has to be exactly the room of two bursts and what is kept."""
    compiled = program(bus_bits=64, depth=128)
    dut, plan = WeightBuffer(compiled.stream), compiled.stream
    needed = 2 * plan.burst_beats * plan.beat_credit + KEPT_FREE * plan.step_units
    free, given = plan.depth * plan.step_units, {}

    async def bench(ctx):
        nonlocal free
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        ctx.set(dut.requested_beats, 1)
        while free > needed - 3 * plan.beat_credit:
            ctx.set(dut.requested, 1)
            await ctx.tick()
            ctx.set(dut.requested, 0)
            await ctx.tick().repeat(2)
            free -= plan.beat_credit
            given[free] = ctx.get(dut.credit)

    simulate(dut, bench)
    assert needed in given
    assert given == {room: int(room >= needed) for room in given}


@pytest.mark.parametrize("first", [0, 1, 2])
@pytest.mark.parametrize("array", [{"bus_bits": 64}, {"bus_bits": 32, "layer_bits": NARROW}, WIDE])
def test_steps_come_out_as_they_went_in_and_are_counted_when_they_can_be_read(simulate, array, first):
    """``stored`` is compared in every clock, each step is read in the first one in which it may be."""
    compiled = program(**array, depth=128)
    dut, plan = WeightBuffer(compiled.stream), compiled.stream
    rng = np.random.default_rng(first)
    beats = [beat for layer in layer_beats(compiled)[first:] for beat in layer]
    steps = [value for layer in step_values(compiled)[first:] for value in layer]
    begun, whole = (np.array(counts) for counts in steps_of_beats(plan, first))
    found = []

    async def bench(ctx):
        async def start(layer):
            ctx.set(dut.first, layer)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)

        await start(0)
        ctx.set(dut.valid, 1)
        await ctx.tick().repeat(9)  # beats of a run that is broken off
        ctx.set(dut.valid, 0)
        await ctx.tick().repeat(dut.write_latency)
        await start(first)
        given, read, waits = [0], 0, False  # beats given before every clock; steps read; one has not moved on
        while len(found) < len(steps):
            stored = int(whole[given[max(0, len(given) - dut.write_latency)]])
            assert ctx.get(dut.stored) == stored % (2 * plan.depth)
            at = given[-1]
            room = at < len(beats) and begun[at + 1] - read < plan.depth
            comes = bool(room and rng.random() < 0.8)
            ctx.set(dut.valid, int(comes))
            ctx.set(dut.beat, beats[at] if comes else (1 << plan.bus_bits) - 1)
            moves = rng.random() < 0.7
            reads = read < stored and (moves or not waits)
            ctx.set(dut.r_en, (1 << dut.shares) - 1 if reads else 0)
            ctx.set(dut.r_steps, [read % plan.depth] * dut.shares)
            ctx.set(dut.o_en, (1 << dut.o_shares) - 1 if moves else 0)
            await ctx.tick()
            given.append(at + comes)
            if moves and waits:
                found.append(ctx.get(dut.bits))
            read, waits = read + reads, reads or (waits and not moves)
            assert len(given) < 20 * len(beats) + 1000

    simulate(dut, bench)
    widths = [compiled.step_format.bits_of(layer.weight_bits) for layer in compiled.layers[first:]]
    widths = np.repeat(widths, plan.layer_steps[first:]).tolist()
    assert [bits & (1 << width) - 1 for bits, width in zip(found, widths, strict=True)] == steps


def steps_of_beats(plan, first=0):
    """Steps that the first so many beats of a run from layer ``first`` on, from none to all, have begun, and
    that they hold whole."""
    begun, whole, before = [0], [0], 0
    layers = zip(plan.layer_steps[first:], plan.layer_beats[first:], plan.layer_units[first:], strict=True)
    for steps, beats, units in layers:
        held = np.arange(1, beats + 1) * plan.beat_units
        begun += (before + np.minimum(steps, -(-held // units))).tolist()
        whole += (before + np.minimum(steps, held // units)).tolist()
        before += steps
    return begun, whole
