"""A small network whose weights come from outside, for the tests of the weight stream's blocks."""

from types import MappingProxyType

import numpy as np

from hw.compile.compiler import compile_program
from hw.compile.stream_image import stream_image
from hw.compile.weight_stream import PAGE
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network

NETWORK = Network(
    "streamed",
    (5, 14, 14),
    (Conv("a", 5, 10, 3, pool=2), Conv("b", 10, 6, 3, padding=1), Dense("c", 6 * 36, 5, relu=False)),
)


WIDE = {"bus_bits": 1024, "rows": 56}
"""An array with steps wide enough for the widest bus."""


NARROW = {"b": 3, "c": 5}
"""Layers of narrower weights than the others' 8 bits."""


def program(bus_bits=64, depth=0, batch=2, rows=4, layer_bits=MappingProxyType({})):
    """Layers with blocks that are replayed (a, b) and one that is not (c)."""
    config = AcceleratorConfig(rows, 2, batch, stream_weights=True, bus_bits=bus_bits, weight_steps=depth)
    return compile_program(random_artifact(NETWORK, seed=3, layer_bits=layer_bits), config)


def step_values(compiled):
    """Every step as an integer, as wide as its layer needs, layer by layer."""
    found = []
    for plan in compiled.layers:
        bits = compiled.step_format.encode(plan.steps)[:, : compiled.step_format.bits_of(plan.weight_bits)]
        packed = np.packbits(bits, axis=1, bitorder="little")
        found.append([int.from_bytes(row.tobytes(), "little") for row in packed])
    return found


def layer_beats(compiled):
    """The beats of every layer, as integers."""
    plan = compiled.stream
    return _beats(compiled, zip(plan.layer_pages, plan.layer_beats, strict=True))


def channel_beats(compiled):
    """Those of the channel table."""
    return _beats(compiled, [(0, compiled.stream.table_beats)])[0]


def _beats(compiled, parts):
    """Those of parts of the stream (page, beats)."""
    image, size = stream_image(compiled) + bytes(PAGE), compiled.stream.bus_bits // 8
    return [
        [int.from_bytes(image[page * PAGE + i * size :][:size], "little") for i in range(beats)]
        for page, beats in parts
    ]
