"""What no accelerator goes beyond is said before anything is generated, by compiler and sweep alike."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from hw.compile import limits
from hw.compile.compiler import compile_program
from hw.contract.artifact import LayerWeights, random_artifact
from hw.contract.config import (
    MOST_LANES,
    MOST_LINE_PIXELS,
    MOST_ROWS,
    STREAM_BITS,
    AcceleratorConfig,
    shape_word,
)
from hw.contract.network import Conv, Dense, Network
from hw.explore.device import Device
from hw.explore.lengths import Density
from hw.explore.space import Space
from hw.explore.sweep import explore
from hw.explore.workload import UniformWorkload
from hw.host_interface.registers import LAYERS, SHAPE
from hw.util.errors import ConfigError, DoesNotFit, UnsupportedNetwork

SMALL = AcceleratorConfig(4, 1, 1)
DEVICE = Device(
    "toy",
    100e6,
    {"dsp": 3000, "bram36": 1500, "lut": 900_000, "ff": 2_000_000},
    {"dsp": "DSP slices", "bram36": "RAMB36 blocks", "lut": "LUTs", "ff": "flip-flops"},
    14.7e9,
    4,
)


def deep(layers):
    return Network("deep", (1, 8, 8), tuple(Conv(f"c{i}", 1, 1, 1) for i in range(layers)))


def refused(network, config, match, error=ConfigError, bits=8):
    """By the compiler, for a model and for a density."""
    with pytest.raises(error, match=match):
        compile_program(random_artifact(network, kind="dense", weight_bits=bits), config)
    with pytest.raises(error, match=match):
        UniformWorkload(network, Density(8)).program(config, bits)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rows": 36}, "rows must be a multiple of 4, and of 8 from 32 on, from 4 to 248, not 36"),
        ({"rows": 256}, "rows must be a multiple of 4, .* from 4 to 248, not 256"),
        ({"line_pixels": 1024}, "line_pixels must be 0 or a power of two from 8 to 512, not 1024"),
        ({"memory_lines": 1 << 40}, r"memory_lines must be 0\.\."),
        ({"weight_steps": 1, "stream_weights": True}, "weight_steps must be 0 or a power of two from 2 to"),
        (
            {"weight_steps": 1 << 40, "stream_weights": True},
            "weight_steps must be 0 or a power of two from 2",
        ),
        ({"weight_steps": 64}, "weight_steps is for streamed weights: set stream_weights, or leave it 0"),
        ({"memories": 2}, "memories is for streamed weights: set stream_weights, or leave it 1"),
        ({"bus_bits": 64}, "bus_bits is for streamed weights: set stream_weights, or leave it 512"),
    ],
)
def test_a_parameter_out_of_range_is_refused_with_its_range(values, sentence):
    with pytest.raises(ConfigError, match=sentence):
        AcceleratorConfig(**values)


def test_the_largest_array_is_what_the_registers_can_tell():
    config = AcceleratorConfig(MOST_ROWS, MOST_LANES, MOST_LANES)
    assert shape_word(config, limits.MOST_LAYERS)
    with pytest.raises(ValueError, match="rows has 8 bits"):
        SHAPE.pack(rows=MOST_ROWS + config.drain)
    with pytest.raises(ValueError, match="last has 8 bits"):
        LAYERS.pack(last=limits.MOST_INSTRUCTIONS)
    assert LAYERS.pack(last=limits.MOST_INSTRUCTIONS - 1)


def test_no_lane_layout_makes_use_of_a_wider_line():
    config = AcceleratorConfig(4, MOST_LANES, 1)
    for layer in (Conv("wide", 1, 1, 1), Conv("narrow", 1, 1, 5, padding=2), Conv("three", 1, 1, 3)):
        for size in (8, 64, 600):
            chosen = compile_program(random_artifact(Network("n", (1, size, size), (layer,))), config)
            assert chosen.config.line_pixels <= MOST_LINE_PIXELS


def test_as_many_layers_as_have_counters():
    assert len(compile_program(random_artifact(deep(128)), SMALL).layers) == 128
    refused(deep(129), SMALL, "'deep' has 129 layers, more than the 128", UnsupportedNetwork)


def test_a_sweep_for_a_network_that_nothing_can_run_says_why():
    space = Space(rows=(8,), lanes=(1, 2), weight_bits=(8,))
    with pytest.raises(UnsupportedNetwork, match="has 129 layers"):
        explore(UniformWorkload(deep(129), Density()), DEVICE, space)
    wide = UniformWorkload(Network("wide", (1100, 8, 8), (Dense("d", 70400, 9, relu=False),)), Density(8))
    with pytest.raises(DoesNotFit, match=r"no design for wide can be made: a sum of .* takes 50 bits"):
        explore(wide, DEVICE, replace(space, weight_bits=(16,)))


def test_an_image_without_rows():
    with pytest.raises(UnsupportedNetwork, match="its input is 1×0×16, each of the three must be 1 to"):
        Network("flat", (1, 0, 16), (Conv("c", 1, 4, 3, padding=2),))


def test_sums_as_wide_as_a_slice():
    limits.check_sums(SimpleNamespace(packed=None, accumulator_bits=48))
    wide = Network("wide", (600, 8, 8), (Dense("d", 38400, 4, relu=False),))
    refused(
        wide,
        SMALL,
        r"a sum of [\d,]+ products with weights of 16 bits takes 49 bits, more than the 48",
        bits=16,
    )
    assert compile_program(random_artifact(wide, kind="dense"), SMALL).accumulator_bits <= 48


def test_packed_products_take_narrow_symmetric_weights():
    packed = replace(SMALL, products="packed")
    network = Network("two", (3, 8, 8), (Conv("c", 3, 4, 3, padding=1), Dense("d", 256, 4, relu=False)))
    refused(
        network, packed, "of 8 bits and spectra of 16 take a port of 30 bits, more than the 27 of a DSP48E2"
    )
    artifact = random_artifact(network, weight_bits=6)
    program = compile_program(artifact, packed)
    made = program.packed
    assert (made.weight_bits, made.spectrum_bits, made.slices) == (6, 16, ("DSP48E2",))
    masks = [artifact.layers[name].mask for name in "cd"]
    assert made.longest == (masks[0].sum(axis=1).max(), masks[1].sum(axis=(1, 2)).max())
    assert program.accumulator_bits == made.re_bits > made.im_bits
    layer = artifact.layers["c"]
    weight = layer.weight.copy()
    weight[tuple(np.argwhere(weight)[0])] = -32
    layers = {**artifact.layers, "c": LayerWeights(weight, layer.bias, layer.shift)}
    artifact = replace(artifact, layers=layers)
    compile_program(artifact, SMALL)
    with pytest.raises(
        ConfigError, match="layer 'c' has a weight of -32, and packed products take -31 to 31"
    ):
        compile_program(artifact, packed)


def test_as_many_bands_as_the_registers_can_name():
    """Some of the layers of a tall image, row by row."""
    layers = (
        Conv("a", 1, 4, 3, padding=1),
        Conv("b", 4, 4, 3, padding=1),
        Conv("c", 4, 1, 3, padding=1, pool=2),
    )
    tall = Network("tall", (1, 1200, 8), layers)
    assert len(compile_program(random_artifact(tall), replace(SMALL, memory_lines=2500)).layers) <= 256
    refused(
        tall,
        replace(SMALL, memory_lines=2000),
        "3 layers in row bands are 299 instructions .* more than the 256",
    )


def test_every_memory_has_a_port_of_32_bits():
    network = Network("n", (8, 8, 8), (Dense("d", 512, 9, relu=False),))
    config = AcceleratorConfig(4, 2, 1, stream_weights=True, bus_bits=256, memories=2)
    assert compile_program(random_artifact(network), config).stream.bus_bits == 64
    refused(
        network, replace(config, memories=4), "64 bits a clock at most, .* set memories to 2, or raise rows"
    )


def test_a_sweep_takes_as_many_memories_as_a_step_can_use():
    workload = UniformWorkload(Network("n", (8, 8, 8), (Dense("d", 512, 9, relu=False),)), Density())
    found = explore(workload, DEVICE, Space(rows=(4,), lanes=(1, 2), weight_bits=(8,)))
    streamed = [point for point in found.points if point.config.stream_weights]
    assert DEVICE.memories(DEVICE.bus_bits) == 4 and streamed
    assert all(point.config.memories <= 2 for point in streamed)


@pytest.mark.parametrize("bits", STREAM_BITS)
def test_the_line_that_the_compiler_chooses_holds_a_beat(bits):
    network = Network("small", (1, 6, 6), (Conv("a", 1, 4, 3, padding=1),))
    made = compile_program(random_artifact(network), AcceleratorConfig(4, 1, 1, stream_bits=bits))
    assert made.config.line_pixels == max(8, bits // 8)


@pytest.mark.parametrize(("bits", "images"), [(32, 2), (64, 1)])
def test_images_lie_side_by_side_only_if_ports_find_the_next_one_in_time(bits, images):
    """The first map is six beats of four pixels, or three of eight, fewer than ports need."""
    network = Network("few", (1, 3, 8), (Conv("a", 1, 4, 3, padding=1),))
    made = compile_program(random_artifact(network), AcceleratorConfig(4, 4, 2, 32, stream_bits=bits))
    assert made.layers[0].images == images
