"""Where steps lie in external memory, read back bit by bit, and when they arrive."""

import numpy as np
import pytest

from hw.errors import ConfigError
from hw.weight_arrival import MEMORY_LATENCY, STORE_LATENCY, WeightArrival
from hw.weight_stream import PAGE, UNIT_BITS, StreamPlan, stream_image
from tests.gateware.streamed import WIDE, program


@pytest.mark.parametrize("bus_bits", [32, 64, 512])
def test_steps_follow_each_other_without_gaps_from_a_page_on(bus_bits):
    compiled = program(bus_bits)
    plan, step = compiled.stream, compiled.step_format
    image = np.frombuffer(stream_image(step, compiled.step_tables, plan), np.uint8)
    assert len(image) == plan.bytes and plan.bus_bits <= plan.step_units * UNIT_BITS
    for layer, page in zip(compiled.layers, plan.layer_pages, strict=True):
        bits = np.unpackbits(image[page * PAGE :], bitorder="little")
        size = plan.step_units * UNIT_BITS
        found = bits[: len(layer.steps) * size].reshape(-1, size)
        np.testing.assert_array_equal(found[:, : step.bits], step.encode(layer.steps))
        assert not found[:, step.bits :].any()
    padding = len(image) * 8 - sum(plan.layer_steps) * plan.step_units * UNIT_BITS
    assert padding <= len(plan.layer_pages) * PAGE * 8


def test_counts_of_beats_blocks_and_tails_agree():
    compiled = program()
    plan = compiled.stream
    assert sum(plan.block_steps) == sum(plan.layer_steps) == compiled.steps
    for steps, beats, tail in zip(plan.layer_steps, plan.layer_beats, plan.tail_units, strict=True):
        assert beats * plan.beat_units == steps * plan.step_units + tail and 0 <= tail < plan.beat_units
    assert plan.most == max(plan.block_steps[:5]) and plan.depth >= plan.most  # of a and b; c is played once


def test_no_burst_of_the_widest_bus_is_longer_than_a_page():
    plan = program(**WIDE, depth=1024).stream
    assert plan.bus_bits == 1024 and plan.burst_beats * plan.bus_bits // 8 == PAGE


def test_a_store_too_small_is_refused():
    least = program().stream.most
    with pytest.raises(
        ConfigError, match=r"weight_steps 16 is less than the \d+ that the largest block needs"
    ):
        _ = program(depth=16).stream
    assert least > 16


def plan(depth: int, steps: tuple[int, ...]) -> StreamPlan:
    """Two beats a step, bursts of one beat."""
    return StreamPlan(16, 2, depth, max(steps), (sum(steps),), steps, (0,))


def test_weights_arrive_at_the_pace_of_memory_while_there_is_room():
    arrival = WeightArrival(plan(10_000, (100, 50)), 0)
    assert arrival.arrive() == MEMORY_LATENCY + 200 + STORE_LATENCY
    arrival.free(1000, 1100)
    assert arrival.arrive() == MEMORY_LATENCY + 300 + STORE_LATENCY


def test_a_full_store_waits_for_the_block_before():
    stream = plan(150, (100, 100))
    arrival = WeightArrival(stream, 0)
    arrival.arrive()
    arrival.free(1000, 1010)
    slack = 2 * stream.burst_beats / 2
    # Room for 50 steps less the slack ahead of clock 1000; from then on memory delivers the others.
    late = 100 - (150 - slack - 100)
    assert arrival.arrive() == 1000 + MEMORY_LATENCY + 2 * late + STORE_LATENCY


def test_a_first_block_larger_than_the_store_leaves_it_while_it_arrives():
    arrival = WeightArrival(plan(16, (100, 100)), 0)
    assert arrival.arrive() == MEMORY_LATENCY + 200 + STORE_LATENCY
