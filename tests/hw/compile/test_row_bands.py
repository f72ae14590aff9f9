"""Layers in row bands: every row is made once, is there when it is read, and all of it fits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.compile.compiler import compile_program
from hw.compile.feature_layout import FeatureLayout
from hw.compile.row_bands import GroupRows, plan_row_bands
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.instructions import instructions_of, together
from hw.contract.network import Conv, Network, tiny
from hw.contract.spectrum import TILE
from hw.cost.resources import resources
from hw.util.errors import ConfigError, DataError

NETWORK = Network(
    "bands",
    (2, 61, 45),
    (
        Conv("a", 2, 12, 5, padding=2),
        Conv("b", 12, 6, 3, padding=1, pool=2),
        Conv("c", 6, 7, 3, padding=1),
        Conv("d", 7, 5, 3, padding=1, relu=False),
    ),
)


def compiled(limit, lanes=3, batch=1, line=16, network=NETWORK, **options):
    config = AcceleratorConfig(4, lanes, batch, line, memory_lines=limit, **options)
    return compile_program(random_artifact(network, seed=1, kind="adaptive"), config)


def run(program):
    """Go through the instructions as the hardware does, on a memory that knows which row a line holds."""
    batch = program.config.batch
    memory = np.full((program.memory_lines, 3), -1)  # map, image and channel, row of every line
    first = program.layers[0].source

    def lines(number, plan, image, channel, y):
        line, _ = plan.position(y)
        start = plan.base + image * plan.lines + channel * plan.channel_lines + line
        return slice(start, start + plan.lines_per_row), (number, image * plan.shape[0] + channel, y)

    def write(number, plan, y):
        for image in range(batch):
            for channel in range(plan.shape[0]):
                where, what = lines(number, plan, image, channel, y)
                assert 0 <= where.start < where.stop <= program.memory_lines
                memory[where] = what

    for y in range(first.shape[1]):
        write(0, first, y)
    made = []
    for plan in program.layers:
        height = plan.source.shape[1]
        for group in range(plan.top_group, plan.top_group + plan.group_rows):
            top = group * plan.group_height - plan.layer.padding
            window = range(max(0, top), min(height, top + plan.group_height - plan.tile_stride + TILE))
            for y in window:
                for image in range(batch):
                    for channel in range(plan.source.shape[0]):
                        where, what = lines(plan.number, plan.source, image, channel, y)
                        assert (memory[where] == what).all(), (plan.layer.name, y)
            for y in range(group * plan.out_group_height, (group + 1) * plan.out_group_height):
                if y < plan.dest.shape[1]:
                    write(plan.number + 1, plan.dest, y)
                    made.append((plan.number, y))
    rows = [(i, y) for i, shape in enumerate(program.network.maps[1:]) for y in range(shape[1])]
    assert sorted(made) == rows
    return made


WHOLE = compiled(0).memory_lines


def least():
    """The smallest limit that the compiler takes."""
    low, high = 0, WHOLE
    while high - low > 1:
        middle = (low + high) // 2
        try:
            compiled(middle)
            high = middle
        except ConfigError:
            low = middle
    return high


LEAST = least()


def test_whole_maps_take_one_entry_a_layer():
    program = compiled(0)
    assert program.numbers == (0, 1, 2, 3) and compiled(WHOLE).numbers == (0, 1, 2, 3)
    assert all(plan.source.ring == 0 for plan in program.layers)


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.integers(LEAST, WHOLE), st.integers(1, 9), st.integers(1, 2), st.sampled_from([8, 16, 32]))
def test_every_row_is_there_when_it_is_read(limit, lanes, batch, line):
    batch = min(batch, lanes)
    try:
        program = compiled(batch * limit, lanes, batch, line)
    except ConfigError as error:
        assert "memory_lines" in str(error)
        return
    assert program.memory_lines <= batch * limit
    run(program)


def test_bands_save_memory():
    assert LEAST < 0.7 * WHOLE
    program = compiled(LEAST)
    assert len(program.layers) > 4 and any(plan.source.ring for plan in program.layers)
    run(program)
    with pytest.raises(ConfigError, match="memory_lines cannot hold the maps of layer"):
        compiled(LEAST - 1)


def test_steps_of_a_layer_exist_once():
    """Instructions of a layer share their steps, in the weight memory and in the stream."""
    whole, banded = compiled(0), compiled(LEAST)
    assert banded.steps == whole.steps and len(banded.step_tables) == 4
    streams = [compiled(limit, stream_weights=True, bus_bits=64).stream for limit in (0, LEAST)]
    assert streams[0].bytes == streams[1].bytes
    assert sum(streams[1].layer_beats) > sum(streams[0].layer_beats)  # each instruction fetches them


def test_counters_are_counted_a_layer_and_not_an_instruction():
    """Two counters of 32 bits a layer, however many instructions it is made in."""
    whole, banded = compiled(0), compiled(LEAST)
    assert len(banded.layers) > len(whole.layers)
    assert resources(banded).ff == resources(whole).ff


def test_the_cheapest_plan_that_fits_is_taken():
    """Two large maps: two bands for each of them, not more, in two segments."""
    maps = [FeatureLayout((1, rows, 8), 0) for rows in (10, 100, 10, 100, 10)]
    rows = [GroupRows(str(i), 10, 10, 2, 1, 10, cost=1) for i in range(4)]
    layout = plan_row_bands(rows, maps, 1, 90)
    assert [item.layer for item in layout.instructions] == [0, 1, 0, 1, 2, 3, 2, 3]
    assert layout.lines <= 90
    never = [GroupRows(str(i), 10, 10, 2, 1, 10, 1, splits=i != 2) for i in range(4)]
    with pytest.raises(ConfigError, match="layer '2'"):
        plan_row_bands(never, maps, 1, 90)


def test_runs_take_layers_in_bands_together():
    numbers = (0, 1, 0, 1, 2, 3)
    assert together(numbers) == [(0, 1), (2, 2), (3, 3)]
    network = tiny()
    count = len(network.layers)
    assert instructions_of(network, range(count), None) == (0, count - 1)
    numbers = (0, 1, 0, 1, *range(2, count))
    assert instructions_of(network, numbers, (0, 1)) == (0, 3)
    assert instructions_of(network, numbers, (2, 2)) == (4, 4)
    for layers in ((0, 0), (1, 2)):
        with pytest.raises(DataError, match="made in row bands"):
            instructions_of(network, numbers, layers)
    with pytest.raises(DataError, match="no part of the network"):
        instructions_of(network, numbers, (0, count))
