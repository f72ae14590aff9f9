"""Weight replay with its buffer: every step in the order of the loops, whatever the pace of either side."""

import numpy as np
import pytest

from hw.gateware.weights.weight_replay import WeightReplay
from tests.hw.gateware.streamed import NARROW, WIDE, layer_beats, program, step_values


def replayed(compiled, first, last, images):
    """The steps a run takes, each with its width: a block over all its tile groups, or the layer once."""
    values = []
    for plan, steps in zip(
        compiled.layers[first : last + 1], step_values(compiled)[first : last + 1], strict=True
    ):
        ends = np.flatnonzero(plan.steps.end_of_pass) + 1
        groups = plan.group_rows * plan.group_columns * images if plan.weights_stay else 1
        for block in np.split(np.arange(len(steps)), ends[:-1]):
            width = compiled.step_format.bits_of(plan.weight_bits)
            values += groups * [(width, steps[i]) for i in block]
    return values


@pytest.mark.parametrize(
    ("array", "latency", "supply", "demand"),
    [
        ({"bus_bits": 64}, 1, 0.9, 0.9),
        ({"bus_bits": 64}, 60, 0.2, 1.0),
        ({"bus_bits": 32}, 60, 1.0, 0.3),
        ({"bus_bits": 64}, 1, 1.0, 1.0),
        ({"bus_bits": 64}, 60, 1.0, 0.7),
        (WIDE, 20, 0.9, 0.9),
        ({"bus_bits": 32, "layer_bits": NARROW}, 60, 0.9, 0.9),
        ({"bus_bits": 32, "layer_bits": NARROW}, 1, 1.0, 1.0),
        ({"bus_bits": 64, "layer_bits": {"a": 2}}, 60, 1.0, 0.3),
        (WIDE | {"layer_bits": NARROW}, 60, 1.0, 1.0),
        (WIDE | {"layer_bits": {"a": 3, "c": 6}}, 20, 0.9, 0.4),
    ],
)
def test_steps_come_in_order_and_the_buffer_never_overflows(simulate, array, latency, supply, demand):
    compiled, rng = program(**array, depth=128), np.random.default_rng(7)
    dut, plan = WeightReplay(compiled), compiled.stream
    assert compiled.layers[0].weights_stay and not compiled.layers[2].weights_stay
    runs = [(0, 2, 2), (1, 1, 1), (0, 0, 1), (2, 2, 2)]
    found = []

    async def bench(ctx):
        for first, last, images in runs:
            beats = [beat for layer in layer_beats(compiled)[first : last + 1] for beat in layer]
            wanted = len(replayed(compiled, first, last, images))
            asked, given, due = 0, 0, []  # due: the clock from which every beat may come
            ctx.set(dut.first, first)
            ctx.set(dut.last, last)
            ctx.set(dut.images, images)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            taken, clocks = [], 0
            while len(taken) < wanted:
                # The reader asks in every second clock at most, and never across layers.
                credit = ctx.get(dut.credit) and clocks % 2 == 0
                most = next_layer_end(compiled, first, last, asked) - asked
                burst = min(plan.burst_beats, most) if credit else 0
                ctx.set(dut.requested, int(burst > 0))
                ctx.set(dut.requested_beats, burst)
                offer = given < asked and due[given] <= clocks and rng.random() < supply
                due += burst * [clocks + latency]
                ctx.set(dut.beat_valid, int(offer))
                if offer:
                    ctx.set(dut.beat, beats[given])
                # The array takes steps in runs, and in between waits long enough for the buffer to fill.
                ready = ctx.get(dut.ends.valid) and (rng.random() < demand if clocks // 300 % 2 else False)
                ctx.set(dut.ends.ready, int(ready))
                ends = ctx.get(dut.ends.payload)
                await ctx.tick()
                if ready:
                    taken.append(ctx.get(dut.step.as_value()))
                    step = ctx.get(dut.step)
                    assert (ends.end_of_word, ends.end_of_pass) == (step.end_of_word, step.end_of_pass)
                asked, given, clocks = asked + burst, given + offer, clocks + 1
                assert clocks < 60 * wanted + 1000, "the replay is stuck"
            ctx.set(dut.ends.ready, 0)
            ctx.set(dut.beat_valid, 0)
            ctx.set(dut.requested, 0)
            for _ in range(20):
                await ctx.tick()
                assert not ctx.get(dut.ends.valid), "a step after the last one"
            found.append(taken)

    simulate(dut, bench)
    for run, taken in zip(runs, found, strict=True):
        wanted = replayed(compiled, *run)
        # Beyond a narrow layer's width lies what other layers left.
        assert [(bits, step & ~(-1 << bits)) for (bits, _), step in zip(wanted, taken, strict=True)] == wanted


def next_layer_end(compiled, first, last, asked):
    """Beats up to the end of the layer that beat ``asked`` belongs to."""
    ends = np.cumsum(compiled.stream.layer_beats[first : last + 1])
    return int(next((end for end in ends if end > asked), asked))
