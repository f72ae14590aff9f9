"""Where steps lie in external memory, read back bit by bit."""

from operator import mul

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.stream_image import stream_image
from hw.compile.weight_stream import PAGE, UNIT_BITS
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Dense, Network
from hw.util.errors import ConfigError
from tests.hw.gateware.streamed import NARROW, NETWORK, WIDE, program


@pytest.mark.parametrize("layer_bits", [{}, NARROW], ids=["equal", "narrow"])
@pytest.mark.parametrize("bus_bits", [32, 64, 512])
def test_steps_follow_each_other_without_gaps_from_a_page_on(bus_bits, layer_bits):
    compiled = program(bus_bits, layer_bits=layer_bits)
    plan, step = compiled.stream, compiled.step_format
    image = np.frombuffer(stream_image(compiled), np.uint8)
    assert len(image) == plan.bytes and plan.bus_bits <= plan.step_units * UNIT_BITS
    for layer, page, units in zip(compiled.layers, plan.layer_pages, plan.layer_units, strict=True):
        bits, wanted = np.unpackbits(image[page * PAGE :], bitorder="little"), step.encode(layer.steps)
        size, used = units * UNIT_BITS, step.bits_of(layer.weight_bits)
        found = bits[: len(layer.steps) * size].reshape(-1, size)
        np.testing.assert_array_equal(found[:, :used], wanted[:, :used])
        assert not found[:, step.bits :].any() and size - used < max(UNIT_BITS, plan.bus_bits)
    table = plan.table_beats * plan.bus_bits
    padding = len(image) * 8 - table - sum(map(mul, plan.layer_steps, plan.layer_units)) * UNIT_BITS
    assert 0 <= padding <= (1 + len(plan.layer_pages)) * PAGE * 8


@pytest.mark.parametrize(("bus_bits", "beats"), [(32, 5), (64, 3), (512, 1)])
def test_the_channel_table_comes_first_every_entry_in_beats_of_its_own(bus_bits, beats):
    """Biases of 32 bits, then shifts of 5, for the rows that the drain takes in a clock."""
    compiled = program(bus_bits, **({"rows": 56} if bus_bits > 64 else {}))
    plan, drain = compiled.stream, compiled.config.drain
    image = np.frombuffer(stream_image(compiled), np.uint8)
    assert plan.drain_group_beats == beats and plan.table_beats == beats * len(compiled.channel_bias)
    rows = image[: plan.table_beats * plan.bus_bits // 8].reshape(len(compiled.channel_bias), -1)
    biases = np.ascontiguousarray(rows[:, : 4 * drain]).view("<i4")
    np.testing.assert_array_equal(biases, compiled.channel_bias)
    bits = np.unpackbits(rows[:, 4 * drain :], axis=1, bitorder="little")
    shifts = bits[:, : 5 * drain].reshape(len(rows), drain, 5) @ (1 << np.arange(5))
    np.testing.assert_array_equal(shifts, compiled.channel_shift)
    assert not bits[:, 5 * drain :].any() and compiled.channel_bias.any()
    assert plan.layer_pages[0] == -(-rows.size // PAGE)


def test_narrow_layers_take_less_of_memory_and_no_less_than_a_beat_per_step():
    compiled, wide = program(**WIDE, layer_bits=NARROW), program(**WIDE).stream
    plan, step = compiled.stream, compiled.step_format
    widths = [layer.weight_bits for layer in compiled.layers]
    assert widths == [8, 3, 5] and plan.step_units == wide.step_units == max(plan.layer_units)
    wanted = [max(plan.beat_units, -(-step.bits_of(width) // UNIT_BITS)) for width in widths]
    assert list(plan.layer_units) == wanted and plan.bytes < wide.bytes and plan.bus_bits == wide.bus_bits
    bits = sum(len(t) * step.bits_of(w) for t, w in zip(compiled.step_tables, widths, strict=True))
    assert compiled.stored_bits == bits < program(**WIDE).stored_bits


def test_a_design_that_holds_its_weights_holds_them_in_one_width():
    artifact = random_artifact(NETWORK, seed=3, layer_bits=NARROW)
    held = compile_program(artifact, AcceleratorConfig(4, 2, 2))
    assert held.stored_bits == held.steps * held.step_format.bits


def test_counts_of_beats_and_blocks_agree():
    compiled = program(layer_bits=NARROW)
    plan = compiled.stream
    assert sum(plan.block_steps) == sum(plan.layer_steps) == compiled.steps
    blocks = np.split(plan.block_steps, np.cumsum(plan.layer_blocks)[:-1])
    assert [sum(steps) for steps in blocks] == list(plan.layer_steps)
    for steps, units, beats in zip(plan.layer_steps, plan.layer_units, plan.layer_beats, strict=True):
        assert 0 <= beats * plan.beat_units - steps * units < plan.beat_units
    # The largest set of a and b, whose weights stay; c is played once.
    stay = [plan.weights_stay for plan in compiled.layers]
    assert stay == [True, True, False]
    sets = [np.split(steps, layer.sets) for steps, layer in zip(blocks, compiled.layers[:2], strict=False)]
    assert plan.most == max(sum(one) for parts in sets for one in parts) and plan.depth >= plan.most


def test_no_burst_of_the_widest_bus_is_longer_than_a_page():
    plan = program(**WIDE, depth=1024).stream
    assert plan.bus_bits == 1024 and plan.burst_beats * plan.bus_bits // 8 == PAGE


def test_a_store_too_small_is_refused():
    least = program().stream.most
    with pytest.raises(
        ConfigError,
        match=r"weight_steps 16 is less than the \d+ that the largest block needs.*raise it to 128",
    ):
        _ = program(depth=16).stream
    assert least > 16 and program(depth=128).stream.depth == 128
    once = Network("once", (4, 8, 8), (Dense("a", 256, 9, relu=False),))
    with pytest.raises(
        ConfigError, match="weight_steps 8 is less than the 13 that bursts need: raise it to 16"
    ):
        _ = compile_program(
            random_artifact(once), AcceleratorConfig(4, 2, 2, stream_weights=True, weight_steps=8)
        ).stream
