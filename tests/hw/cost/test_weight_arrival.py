"""When streamed weights arrive: the cost model against clocks that the Verilog counted."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.weight_stream import StreamPlan
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Dense, Network
from hw.cost.cycles import run_cycles
from hw.cost.weight_arrival import MEMORY_LATENCY, READER, WeightArrival
from tests.sim.bench.streamed_designs import Streamed, random_streamed

# A block of hundreds of steps through a store of sixteen.
TIGHT = Streamed(
    random_artifact(
        Network("tight", (4, 8, 8), (Dense("a", 256, 128), Dense("b", 128, 40, relu=False))),
        seed=5,
        density=0.5,
    ),
    AcceleratorConfig(8, 2, 2, stream_weights=True, bus_bits=128, weight_steps=16),
)


# What ``tests.sim.bench.streamed_designs.count`` found, by layer, for that many images.
COUNTED = [
    (TIGHT, 1, [10895, 1961]),
    (TIGHT, 2, [10831, 1977]),
    (replace(TIGHT, config=replace(TIGHT.config, weight_steps=64)), 2, [2593, 547]),
    (random_streamed(1), 3, [5388, 741]),
    (
        random_streamed(9),
        1,
        [676, 3337],
    ),  # a layer of narrower weights, whose beats reserve more than they take
    (random_streamed(11), 1, [1669, 546]),  # blocks that are replayed; two memories
    (random_streamed(12), 1, [3323, 428]),  # four memories
    (random_streamed(14), 2, [1611, 2310]),
    (random_streamed(14), 1, [907, 1295]),
    (random_streamed(20), 1, [2177, 32899, 20434]),  # N = 32, P = 1
    (random_streamed(22), 1, [1062, 155]),
]


@pytest.mark.parametrize(("design", "images", "counted"), COUNTED)
def test_every_layer_takes_the_clocks_that_the_verilog_counted(design, images, counted):
    program = compile_program(design.artifact, design.config)
    assert [layer.cycles for layer in run_cycles(program, images)] == counted


def played(plan, lengths, passes, size=1):
    """Last clocks of the passes of every set of ``size`` blocks, all with words of ``lengths``, as soon as
    steps come."""
    arrival, found = WeightArrival(plan, 0, 1), []
    for blocks in plan.layer_blocks:
        for first in range(0, blocks, size):
            for number in range(passes):
                for block in range(first, first + size):
                    begins, ends, clock = number == 0, number == passes - 1, arrival.issued + 1
                    arrival.issued = arrival.issue(
                        block, np.array(lengths), 1, clock, clock, begins=begins, ends=ends
                    )
                    found.append(arrival.issued)
        arrival.next_instruction()
    return found


def stream(depth, steps, units=(2,), blocks=1):
    """Layers of ``blocks`` blocks of ``steps`` steps, of two beats each or of so many."""
    layers = len(units)
    counts = (steps * blocks,) * layers
    most = 0 if depth < steps else steps
    return StreamPlan(
        16,
        max(units),
        depth,
        most,
        units,
        counts,
        (blocks,) * layers,
        tuple(range(layers)),
        (steps,) * blocks * layers,
        drain_groups=TABLE // 2,
        drain_group_beats=2,
    )


TABLE = 14
"""Beats of the channel table, which comes first."""

FIRST = MEMORY_LATENCY + READER - 1 + TABLE
"""Clock of the run behind which the first beat of weights comes."""


def test_weights_arrive_at_the_pace_of_memory_while_there_is_room():
    assert played(stream(10_000, 100, blocks=2), [40, 60], 1) == [FIRST + 200 + 6, FIRST + 400 + 6]


def test_a_layer_of_narrow_weights_arrives_sooner():
    assert played(stream(10_000, 100, units=(4, 3)), [100], 1) == [FIRST + 400 + 6, FIRST + 700 + 6]


def test_a_block_is_replayed_at_the_pace_of_the_array():
    first, again, last, *_ = played(stream(128, 100, blocks=2), [40, 60], 3)
    assert (again, last) == (first + 100, first + 200)


def test_a_set_is_replayed_at_the_pace_of_the_array_and_the_next_one_comes_meanwhile():
    found = played(stream(512, 100, blocks=4), [40, 60], 3, size=2)
    begun = played(stream(512, 100, blocks=4), [40, 60], 1, size=1)
    assert found[:2] == begun[:2]
    assert np.diff(found[1:6]).tolist() == 4 * [100]
    assert found[6] - found[5] <= 100 + 1


def test_a_block_waits_for_what_is_replayed_where_both_do_not_fit():
    """With room for both it would be there when the one before it ends."""
    roomy, tight = (played(stream(depth, 100, blocks=2), [100], 9) for depth in (512, 128))
    assert roomy[9] - roomy[8] <= 100 + 1
    assert tight[9] - tight[8] > 100 + MEMORY_LATENCY // 2


def test_a_block_larger_than_the_store_takes_memorys_latency_for_every_store_of_it():
    (small,), (large,) = (played(stream(depth, 1000), [1000], 1) for depth in (16, 2048))
    assert large == FIRST + 2000 + 6
    assert small > MEMORY_LATENCY * 1000 / 16
