"""The resource model against synthesis: within the tolerance that ``hw.cost.resources`` states."""

from dataclasses import replace

import pytest

from bitstreams.synthesis.paths import MOST_LEVELS, MOST_LOADS
from bitstreams.synthesis.yosys import synthesise
from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network, tiny
from hw.contract.packed_products import SLICES
from hw.cost.resources import ROM_BITS_PER_RAMB18, memory, resources, rom
from hw.generate import generate

TOLERANCE = 0.2
FIVE = {layer.name: 5 for layer in tiny().layers}
"""Weights that packed products of 16-bit spectra take on a 7-series device."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "rows", "lanes", "stream", "narrow", "products"),
    [
        ("adaptive", 4, 2, False, {}, "three"),
        ("adaptive", 12, 3, False, {}, "three"),
        ("adaptive", 12, 3, True, {}, "three"),
        ("adaptive", 12, 3, True, {"conv2": 3, "fc1": 5}, "three"),
        ("kernel", 12, 3, False, {}, "three"),
        ("adaptive", 12, 2, False, FIVE, "packed"),
        ("kernel", 8, 1, False, FIVE, "packed"),
    ],
)
def test_estimate_is_close_to_synthesis(tmp_path, kind, rows, lanes, stream, narrow, products):
    artifact = random_artifact(tiny(), seed=1, kind=kind, layer_bits=narrow)
    config = AcceleratorConfig(rows, lanes, 1, stream_weights=stream, products=products)
    _check(artifact, config, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rows", "lanes", "stream", "products"),
    [(12, 3, True, "three"), (8, 4, False, "three"), (8, 2, True, "packed")],
)
def test_estimate_of_a_graph_is_close_to_synthesis(tmp_path, rows, lanes, stream, products):
    """With all that graphs bring: pointwise convolutions, strides, windows that overlap, added maps."""
    layers = (
        Conv("stem", 3, 16, 3, padding=1, pool=2, pool_size=3, pool_padding=1),
        Conv("a", 16, 8, 1, pointwise=True),
        Conv("b", 8, 8, 3, padding=1, stride=2),
        Conv("s", 16, 24, 1, stride=2, pointwise=True, relu=False, sources=("stem",)),
        Conv("c", 32, 24, 1, added=True, pointwise=True, sources=("b", "s")),
        Conv("d", 24, 16, 3, padding=1),
    )
    bits = {layer.name: 5 for layer in layers}
    artifact = random_artifact(Network("graph", (3, 30, 26), layers), seed=1, layer_bits=bits)
    config = AcceleratorConfig(rows, lanes, 1, stream_weights=stream, products=products)
    _check(artifact, config, tmp_path)


def _check(artifact, config, tmp_path):
    rows, lanes, products = config.rows, config.lanes, config.products
    generate(artifact, config, tmp_path / "design")
    found = synthesise(tmp_path / "design", paths=True)
    assert found.paths.longest <= MOST_LEVELS, found.paths.worst[0]
    assert found.paths.fanout[0][1] <= MOST_LOADS, found.paths.fanout[0]
    expected = resources(compile_program(artifact, config))
    assert found.dsp == expected.dsp == SLICES[products] * rows * lanes
    assert found.lut == pytest.approx(expected.lut, rel=TOLERANCE)
    assert found.ff == pytest.approx(expected.ff, rel=TOLERANCE)
    assert found.bram36 == pytest.approx(expected.bram36, rel=TOLERANCE)


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [
        (512, 72, 1),
        (512, 36, 0.5),
        (513, 36, 1),
        (4096, 9, 1),
        (8192, 8, 2),
        (1760, 8, 0.5),
        (384, 8, 0.5),
        (256, 12, 0.5),
        (32768, 1, 1),
    ],
)
def test_memories_take_the_smallest_arrangement(depth, width, blocks):
    assert memory(depth, width) == (blocks, 0)


def test_shallow_memories_go_to_luts():
    """As yosys maps them, one by one."""
    assert memory(64, 36) == (0, 48)
    assert memory(300, 8) == (0, 60)
    assert memory(64, 128) == (0, 172) and memory(128, 128) == (2, 0)


@pytest.mark.parametrize(
    ("depth", "width", "blocks"),
    [(512, 16, 0), (512, 17, 0.5), (256, 32, 0), (256, 33, 0.5), (1024, 16, 0.5)],
)
def test_small_roms_become_logic(depth, width, blocks):
    """As yosys maps them, one by one; a RAM of 256 × 16 is in a block already."""
    assert rom(depth, width)[0] == blocks and memory(256, 16)[0] == 0.5


def test_roms_in_logic_are_priced_by_what_yosys_made():
    """Of random contents."""
    assert rom(256, 32) == (0, 128)
    assert rom(512, 16)[1] == pytest.approx(155, rel=0.05)


def test_a_small_design_has_its_steps_in_logic():
    network = Network("small", (1, 8, 8), (Dense("d", 64, 4, relu=False),))
    program = compile_program(random_artifact(network, kind="dense"), AcceleratorConfig(4, 1, 1))
    assert program.steps * program.step_format.bits < ROM_BITS_PER_RAMB18
    streamed = replace(program, config=replace(program.config, stream_weights=True))
    assert resources(program).bram36 < resources(streamed).bram36
