"""Where the maps of graphs lie: all that a layer reads is there, side by side, and nothing lies on it."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hw.compile.compiler import compile_program
from hw.compile.feature_layout import FeatureLayout
from hw.compile.map_placement import buffers_of, lives
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
    """Every layer writes its map, and then what it read is still there: pixels that know whose they are."""
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

    write(0, replace(program.layers[0].source, shape=network.maps[0], base=first_base(program)))
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
@settings(deadline=None, max_examples=40)
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


def block(name: str, channels: int, before: str) -> tuple[Conv, Conv]:
    """Two convolutions and the addition of the map in front of them."""
    return (
        conv(f"{name}a", channels, channels, before),
        conv(f"{name}b", 2 * channels, channels, f"{name}a", before, added=True),
    )


def test_residual_blocks_take_four_maps_however_many_there_are():
    """What is added, what is convolved and the sum are there at once. The first lies in front of the second,
    in every block, so the three do not fit into as many places: the fourth is for the next block's."""
    stem = conv("stem", 2, 5)
    blocks = [*block("p", 5, "stem"), *block("q", 5, "pb"), *block("r", 5, "qb")]
    network = Network("blocks", (2, 12, 12), (stem, *blocks, conv("last", 5, 1, "rb")))
    program = compiled(network, line_pixels=16)
    run(program)
    (lines,) = {plan.dest.lines for plan in program.layers[:-1]}
    assert program.memory_lines == 4 * lines


def test_a_map_that_is_read_much_later_is_kept():
    network = Network(
        "late",
        (3, 10, 10),
        (conv("a", 3, 2), conv("b", 2, 2), conv("c", 2, 2), conv("d", 2 + 3, 4, "c", IMAGES)),
    )
    assert lives(network) == [(-1, 3), (0, 1), (1, 2), (2, 3), (3, 4)]
    for batch in (1, 3):
        run(compiled(network, batch=batch))


BRANCHES = Network(
    "branches",
    (2, 8, 8),
    (
        conv("a", 2, 3),
        conv("b", 3, 4),
        conv("c", 4, 5),
        conv("d", 5 + 4 + 3, 2, "c", "b", "a"),
        conv("e", 2 + 2, 2, IMAGES, "d"),
    ),
)


@pytest.mark.parametrize("batch", [1, 2])
def test_maps_that_are_read_together_lie_side_by_side(batch):
    assert buffers_of(BRANCHES) == [(0, 4), (3, 2, 1), (5,)]
    program = compiled(BRANCHES, batch=batch, lanes=2)
    run(program)
    a, b, c, d, e = (plan.dest for plan in program.layers)
    assert b.base == c.base + c.lines and a.base == b.base + b.lines
    assert a.pitch == b.pitch == c.pitch == c.lines + b.lines + a.lines
    assert [plan.source.shape[0] for plan in program.layers] == [2, 3, 4, 12, 4]
    assert program.layers[3].source.base == c.base and program.layers[3].source.stack_lines == c.pitch
    assert program.layers[2].source.stack_lines == c.pitch, "what a layer reads alone lies where it lies"
    assert d.base == program.layers[0].source.base + 2 * d.channel_lines and e.pitch == e.lines


def test_a_map_has_one_place():
    twice = Network(
        "twice",
        (2, 8, 8),
        (conv("a", 2, 2), conv("b", 2, 2), conv("c", 4, 2, "a", "b"), conv("d", 4, 1, "a", "c")),
    )
    with pytest.raises(UnsupportedNetwork, match="layer 'd': of the maps that it reads one lies beside") as e:
        compiled(twice)
    assert "put a 1×1 convolution between" in str(e.value)
    circle = Network(
        "circle",
        (2, 8, 8),
        (conv("a", 2, 2), conv("b", 2, 2), conv("c", 4, 2, "a", "b"), conv("d", 6, 1, "c", "b", "a")),
    )
    with pytest.raises(UnsupportedNetwork, match="beside another map"):
        compiled(circle)
    layers = (
        conv("a", 2, 2),
        conv("b", 4, 1, "a", IMAGES),
        conv("c", 3, 1, IMAGES, "b"),
        conv("d", 3, 1, "b", "a"),
        conv("e", 2, 1, "c", "d"),
    )
    with pytest.raises(UnsupportedNetwork, match=r"network 'ring': maps .* go round in a circle"):
        compiled(Network("ring", (2, 8, 8), layers))


def test_a_memory_that_does_not_hold_the_maps_is_refused():
    least = compiled(BRANCHES).memory_lines
    assert compiled(BRANCHES, memory_lines=least).memory_lines == least
    with pytest.raises(ConfigError) as caught:
        compiled(BRANCHES, memory_lines=least - 1)
    assert str(caught.value) == (
        f"{least - 1} memory_lines cannot hold the maps of network 'branches', which take {least}: it has "
        "branches, so its layers are not made in row bands: raise memory_lines or line_pixels, or lower the "
        "batch"
    )


def test_a_buffer_whose_readers_want_it_packed_in_different_ways_is_not():
    """Tiles of one reader lie 6 apart, of the other 8."""
    layers = conv("a", 3, 2), Conv("b", 3, 2, 1, sources=(IMAGES,)), conv("c", 4, 2, "a", "b")
    program = compiled(Network("ways", (3, 18, 6), layers), lanes=2, line_pixels=16)
    assert [plan.packing for plan in program.layers] == [1, 1, 2]
    run(program)
    assert compiled(Network("a", (3, 18, 6), layers[:1]), lanes=2, line_pixels=16).layers[0].packing == 2


# --- chains --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", [tiny(), lenet()], ids=lambda network: network.name)
def test_a_chain_that_names_its_sources_is_placed_as_one_that_does_not(network):
    names = IMAGES, *(layer.name for layer in network.layers)
    named = tuple(replace(layer, sources=(name,)) for layer, name in zip(network.layers, names, strict=False))
    plain, other = compiled(network), compiled(replace(network, layers=named))
    assert [plan.source for plan in other.layers] == [plan.source for plan in plain.layers]
    assert [plan.dest for plan in other.layers] == [plan.dest for plan in plain.layers]
    assert other.memory_lines == plain.memory_lines


def test_chains_lie_where_they_always_lay():
    program = compile_program(random_artifact(lenet(), seed=1), AcceleratorConfig(4, 4, 4))
    assert [plan.source.base for plan in program.layers] == [0, 800, 0, 1504]
    assert program.memory_lines == 1760
    assert not any(plan.source.pitch for plan in program.layers)


def test_pixels_that_no_window_reaches_have_room_in_packed_rows():
    """Nine columns, of which pooling drops the last one: in slots of eight it would lie in the next."""
    for kernel, options in ((1, {"pool": 2}), (3, {"pool": 2, "padding": 1, "end_padding": 0})):
        width = 9 if kernel == 1 else 8
        network = Network("odd", (1, 26, width), (Conv("a", 1, 2, kernel, **options),))
        program = compiled(network, line_pixels=32)
        source = program.layers[0].source
        assert source.packing == 1 or source.padding + width <= source.slot_pixels
        run(program)


# --- signs ---------------------------------------------------------------------------------------------


def test_signed_channels_are_those_of_maps_without_relu():
    network = Network(
        "signs",
        (2, 8, 8),
        (
            conv("a", 2, 3, relu=False),
            conv("b", 3, 4, relu=False),
            conv("c", 4 + 3 + 2, 2, "b", "a", IMAGES),
            Dense("scores", 2 * 64, 3, relu=False),
        ),
    )
    program = compiled(network)
    assert program.signed_channels == (range(0), range(3), range(7), range(0))
    assert program.mixes_signs
    assert signed_channels(network, 2) == range(7)
    last = replace(network.layers[2], sources=(IMAGES, "b", "a"))
    swapped = replace(network, layers=(*network.layers[:2], last, *network.layers[3:]))
    assert compiled(swapped).signed_channels[2] == range(2, 9)
    apart = replace(
        network, layers=(*network.layers[:2], replace(last, sources=("b", IMAGES, "a")), *network.layers[3:])
    )
    with pytest.raises(
        UnsupportedNetwork,
        match=r"layer 'c': .* without ReLU, or with a leaky one, have to follow one another: change",
    ):
        compiled(apart)


def test_a_layer_that_reads_signed_maps_alone_mixes_none():
    layers = conv("a", 2, 3, relu=False), conv("b", 3, 3, relu=False), conv("c", 6, 1, "b", "a")
    program = compiled(Network("all", (2, 8, 8), layers))
    assert program.signed_channels == (range(0), range(3), range(6)) and not program.mixes_signs
    assert not compiled(tiny()).mixes_signs and not compiled(tiny()).strides and not compiled(tiny()).leaks


def test_a_leaky_map_has_a_sign_and_its_slope_is_one_of_the_designs():
    layers = (
        conv("a", 2, 3, leak=3),
        conv("b", 2, 4, "images", leak=7),
        conv("c", 9, 1, "a", "b", IMAGES, leak=3),
    )
    program = compiled(Network("all", (2, 8, 8), layers))
    assert program.leaks == (3, 7) and program.mixes_signs
    assert program.signed_channels == (range(0), range(0), range(7))


# --- numbers of a layer --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "outputs", "tile_stride"),
    [
        ({}, 6, 6),
        ({"pool": 2}, 3, 6),
        ({"stride": 2}, 3, 6),
        ({"stride": 2, "kernel": 7, "padding": 3}, 1, 2),
        ({"stride": 2, "kernel": 6}, 2, 4),
        ({"stride": 2, "kernel": 1, "padding": 0}, 4, 8),
    ],
)
def test_a_plan_has_the_outputs_of_its_tiles(options, outputs, tile_stride):
    layer = Conv(**{"name": "a", "in_channels": 2, "out_channels": 3, "kernel": 3, "padding": 1, **options})
    program = compiled(Network("one", (2, 27, 21), (layer,)))
    (plan,) = program.layers
    assert (plan.out_stride, plan.tile_stride) == (outputs, tile_stride)
    assert plan.out_group_height == plan.lane_rows * outputs
    assert plan.rows_written <= outputs
    _, height, width = layer.output((2, 27, 21))
    assert (plan.tile_rows, plan.tile_columns) == (-(-height // outputs), -(-width // outputs))
    assert program.strides == ("stride" in options)
