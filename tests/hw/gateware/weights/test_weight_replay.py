"""Weight replay with its buffer: every step in the order of the loops, whatever the pace of either side."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network
from hw.gateware.weights.weight_replay import WeightReplay
from tests.hw.gateware.streamed import NARROW, WIDE, layer_beats, program, step_values


def replayed(compiled, first, last, images):
    """The steps a run takes, each with its width: a set of blocks for all tile groups, or the layer once; a
    block of a pointwise convolution for all words before the next one."""
    values = []
    for plan, steps in zip(
        compiled.layers[first : last + 1], step_values(compiled)[first : last + 1], strict=True
    ):
        groups = plan.group_rows * plan.group_columns * images if plan.weights_stay else 1
        words = plan.words if plan.repeated else 1
        of_blocks = np.split(np.arange(len(steps)), np.cumsum(plan.steps.block_lengths)[:-1])
        width = compiled.step_format.bits_of(plan.weight_bits)
        size = plan.blocks_per_transform
        for first in range(0, plan.blocks, size):
            blocks = of_blocks[first : first + size]
            values += groups * [(width, steps[i]) for block in blocks for _ in range(words) for i in block]
    return values


def in_sets(compiled):
    """With all blocks of a layer in a set, wherever weights stay."""
    plans = [replace(p, blocks_per_transform=p.blocks) if p.weights_stay else p for p in compiled.layers]
    return replace(compiled, layers=tuple(plans))


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
        ({"bus_bits": 64, "sets": True}, 60, 0.9, 0.9),
        ({"bus_bits": 32, "sets": True}, 1, 1.0, 1.0),
    ],
)
def test_steps_come_in_order_and_the_buffer_never_overflows(simulate, array, latency, supply, demand):
    array = {"depth": 128} | array
    sets = array.pop("sets", False)
    if sets:
        array["depth"] = 512
    compiled, rng = program(**array), np.random.default_rng(7)
    if sets:
        compiled = in_sets(compiled)
    dut, plan = WeightReplay(compiled), compiled.stream
    assert compiled.layers[0].weights_stay and not compiled.layers[2].weights_stay
    assert all(p.blocks_per_transform == (p.blocks if sets else 1) for p in compiled.layers[:2])
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


async def one_run(ctx, dut, layers, images, beats, count, most, late=0):
    """Feed beats one by one and take steps from clock ``late`` on; stop after ``count`` steps or ``most``
    clocks."""
    first, last = layers
    for name, value in (("first", first), ("last", last), ("images", images), ("start", 1)):
        ctx.set(getattr(dut, name), value)
    ctx.set(dut.beat_valid, 0)
    await ctx.tick()
    ctx.set(dut.start, 0)
    taken, given, promised = [], 0, 0
    for clock in range(most):
        request = int(promised == given and bool(ctx.get(dut.credit)) and given < len(beats))
        ctx.set(dut.requested, request)
        ctx.set(dut.requested_beats, request)
        comes = promised > given
        ctx.set(dut.beat_valid, int(comes))
        ctx.set(dut.beat, beats[given] if comes else 0)
        promised, given = promised + request, given + comes
        ready = ctx.get(dut.ends.valid) and clock >= late and clock % 3 > 0
        ctx.set(dut.ends.ready, int(ready))
        await ctx.tick()
        if ready:
            taken.append(ctx.get(dut.step.as_value()))
        if len(taken) == count:
            break
    ctx.set(dut.ends.ready, 0)
    ctx.set(dut.beat_valid, 0)
    ctx.set(dut.requested, 0)
    return taken


@pytest.mark.parametrize("clocks", [40, 41, 90])
def test_a_start_in_the_middle_of_a_run_begins_a_new_one(simulate, clocks):
    """Nothing that was replayed, buffered or on its way before it is seen again."""
    compiled = program(64, depth=128)
    dut = WeightReplay(compiled)
    beats = [[beat for layer in layer_beats(compiled)[first:] for beat in layer] for first in (0, 1)]
    wanted = [replayed(compiled, first, 2, 1) for first in (0, 1)]
    found = []

    async def bench(ctx):
        found.append(await one_run(ctx, dut, (0, 2), 1, beats[0], len(wanted[0]), clocks))
        await ctx.tick().repeat(dut.buffer.write_latency)  # counts that are under way are the buffer's
        most = 20 * len(wanted[1]) + 1000
        found.append(await one_run(ctx, dut, (1, 2), 1, beats[1], len(wanted[1]), most))

    simulate(dut, bench)
    assert 0 < len(found[0]) < len(wanted[0])
    for taken, steps in zip(found, wanted, strict=True):
        assert taken == [step for _, step in steps[: len(taken)]]
    assert len(found[1]) == len(wanted[1])


def pruned_away():
    """Two layers, of the second one's blocks the first has no weights: a block of one step, replayed."""
    artifact = random_artifact(
        Network("pruned", (2, 14, 14), (Conv("a", 2, 4, 3), Conv("b", 4, 8, 3, relu=False))),
        seed=3,
        kind="adaptive",
    )
    weights = artifact.layers["b"]
    kept = np.where(np.arange(8)[:, None, None, None] < 4, 0, weights.weight)
    layers = artifact.layers | {"b": replace(weights, weight=kept.astype(weights.weight.dtype))}
    return replace(artifact, layers=layers)


def pointwise():
    """Blocks that are repeated for every word, of one step and of several, in sets and alone."""
    return random_artifact(
        Network(
            "point",
            (9, 8, 9),
            (
                Conv("a", 9, 12, 1, pointwise=True),
                Conv("b", 12, 1, 3, padding=1),
                Conv("c", 1, 8, 1, pointwise=True, stride=2),
                Dense("d", 8 * 20, 3, relu=False),
            ),
        ),
        seed=3,
        kind="adaptive",
        density=0.2,
    )


@pytest.mark.parametrize("late", [0, 400])
@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("array", [{"rows": 4, "lanes": 1}, {"rows": 4, "lanes": 6}])
def test_blocks_are_repeated_for_every_word(simulate, array, sets, late):
    config = AcceleratorConfig(**array, batch=1, stream_weights=True, bus_bits=64, line_pixels=16)
    compiled = compile_program(pointwise(), config)
    compiled = in_sets(compiled) if sets else compiled
    assert [plan.repeated for plan in compiled.layers] == [True, False, True, False]
    assert min(compiled.stream.block_steps) == 1 < max(compiled.layers[0].steps.block_lengths)
    dut, found = WeightReplay(compiled), []
    beats = [beat for layer in layer_beats(compiled) for beat in layer]
    wanted = [step for _, step in replayed(compiled, 0, 3, 1)]

    async def bench(ctx):
        for _ in range(2):
            found.append(await one_run(ctx, dut, (0, 3), 1, beats, len(wanted), 20 * len(wanted), late))
            await ctx.tick().repeat(20)
            assert not ctx.get(dut.ends.valid)

    simulate(dut, bench)
    assert found == [wanted, wanted]


def few_inputs():
    """Blocks of one step that are replayed once."""
    network = Network(
        "few", (2, 3, 3), (Conv("a", 2, 4, 3), Conv("b", 4, 4, 1), Dense("c", 4, 9, relu=False))
    )
    return random_artifact(network, seed=3, kind="adaptive")


@pytest.mark.parametrize("late", [0, 400])
@pytest.mark.parametrize(
    ("artifact", "sets"), [(pruned_away, False), (pruned_away, True), (few_inputs, False)]
)
def test_a_block_of_one_step_that_is_there_when_its_layer_begins(simulate, artifact, sets, late):
    compiled = compile_program(artifact(), AcceleratorConfig(4, 2, 2, stream_weights=True, bus_bits=64))
    compiled = in_sets(compiled) if sets else compiled
    last = len(compiled.layers) - 1
    assert compiled.stream.block_steps[last] == 1
    dut, found = WeightReplay(compiled), []
    beats = [beat for layer in layer_beats(compiled) for beat in layer]
    wanted = [step for _, step in replayed(compiled, 0, last, 2)]

    async def bench(ctx):
        for _ in range(2):
            found.append(await one_run(ctx, dut, (0, last), 2, beats, len(wanted), 3000, late))
            await ctx.tick().repeat(20)
            assert not ctx.get(dut.ends.valid)

    simulate(dut, bench)
    assert found == [wanted, wanted]


def next_layer_end(compiled, first, last, asked):
    """Beats up to the end of the layer that beat ``asked`` belongs to."""
    ends = np.cumsum(compiled.stream.layer_beats[first : last + 1])
    return int(next((end for end in ends if end > asked), asked))
