"""Where the maps of graphs lie: all that a layer reads is there, side by side, and nothing lies on it."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw.compile.compiler import compile_program
from hw.compile.feature_layout import FeatureLayout
from hw.compile.map_placement import buffers_of, lives, place
from hw.compile.program import Program, signed_channels
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import IMAGES, Conv, Dense, Network, lenet, tiny
from hw.util.errors import ConfigError, Spec2Error, UnsupportedNetwork
from tests.designs.graphs import graph
from tests.hw.gateware.programs import position_of


def conv(name: str, cin: int, out: int, *sources: str, **more: object) -> Conv:
    return Conv(name, cin, out, 3, **{"padding": 1, "sources": sources, **more})  # type: ignore[arg-type]


def compiled(network: Network, **options: int) -> Program:
    config = AcceleratorConfig(**{"rows": 4, "lanes": 4, "batch": 1, **options})
    return compile_program(random_artifact(network, seed=1, kind="dense"), config)


# --- in the order of the layers ------------------------------------------------------------------------


def places(program: Program, layout: FeatureLayout, image: int, channel: int) -> np.ndarray:
    """The pixels of a channel in feature memory, counted from its first one: (rows, columns)."""
    line = program.config.line_pixels
    rows = [position_of(layout, image, channel, y) for y in range(layout.shape[1])]
    return np.array([first * line + pixel + np.arange(layout.shape[2]) for first, pixel in rows])


def run(program: Program) -> None:
    """Every layer writes its map, and then what it read is still there: as pixels that know whose they are."""
    network, batch = program.network, program.config.batch
    memory = np.full((program.memory_lines * program.config.line_pixels,), -1)
    sizes = [c * h * w for c, h, w in network.maps]
    first = np.cumsum([0, *sizes])  # of the names of a map's pixels, for one image

    def pixels(number: int, image: int) -> np.ndarray:
        return image * first[-1] + first[number] + np.arange(sizes[number]).reshape(network.maps[number])

    def write(number: int, layout: FeatureLayout) -> None:
        for image in range(batch):
            for channel, names in enumerate(pixels(number, image)):
                memory[places(program, layout, image, channel)] = names

    def check(maps: tuple[int, ...], layout: FeatureLayout) -> None:
        for image in range(batch):
            names = np.concatenate([pixels(number, image) for number in maps])
            assert layout.shape == names.shape
            for channel, wanted in enumerate(names):
                np.testing.assert_array_equal(memory[places(program, layout, image, channel)], wanted)

    write(0, replace(program.layers[0].source, shape=network.input, base=first_base(program)))
    for plan in program.layers:
        write(plan.number + 1, plan.dest)
        check(network.sources[plan.number], plan.source)
    check((len(network.layers),), program.layers[-1].dest)


def first_base(program: Program) -> int:
    """Where the images lie: some layer reads them as its first map, or beside others."""
    plan = program.layers[0]
    before = program.network.sources[0].index(0)
    channels = sum(program.network.maps[number][0] for number in program.network.sources[0][:before])
    return plan.source.base + channels * plan.source.channel_lines


@given(st.integers(0, 1 << 32), st.data())
@settings(deadline=None, max_examples=150)
def test_whatever_a_layer_reads_is_there_when_it_does(seed, data):
    lanes = data.draw(st.integers(1, 12), "lanes")
    options = {
        "lanes": lanes,
        "batch": data.draw(st.integers(1, lanes), "batch"),
        "line_pixels": data.draw(st.sampled_from([0, 8, 16, 32, 64]), "line"),
    }
    try:
        program = compiled(graph(Random(seed)), **options)
    except Spec2Error:
        assume(False)
    run(program)
    network = program.network
    alive = [
        {number for number, (born, last) in enumerate(lives(network)) if born <= time <= last}
        for time in range(len(network.layers))
    ]
    layouts = {plan.number + 1: plan.dest for plan in program.layers}
    lines = {number: layout.lines for number, layout in layouts.items()} | {0: 0}
    assert program.memory_lines >= max(sum(lines[number] for number in maps) for maps in alive)
