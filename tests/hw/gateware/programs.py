"""Small compiled networks that take every path through the controllers, and loops over their passes.

"plain": several lane rows and columns, tiles that do not fill them, signed maps, blocks, a fully connected
layer. "packed" and "beside": packed rows of two and of five images. "rows": packed rows of one image.
"bands": instructions that share a layer, maps in rings. "tall": blocks of
several drain groups, the last one short. "three": images side by side of three tile rows each. "wide": rows
of several lines. "graph": maps that are added, joined and read much later, of both signs; strides, paddings
of two sizes. "stacks": the same with images side by side, and a map that is read alone and beside another.
"strides": packed rows under a stride. "pointwise": tiles of fewer than 8 rows, packed and not, strides that
skip pixels, added maps. "pointwise bands": such a stride over the end of a ring. "shortcut": what is added is
fetched first. "mean": outputs that leave one a clock.
"""

from dataclasses import replace
from functools import cache

import numpy as np

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import IMAGES, Conv, Dense, Network

CASES = {
    "plain": (
        Network(
            "plain",
            (3, 17, 14),
            (
                Conv("a", 3, 11, 3, padding=1, pool=2, relu=False),
                Conv("b", 11, 9, 3),
                Conv("c", 9, 5, 5, padding=2, relu=False),
                Dense("d", 5 * 6 * 5, 11, relu=False),
            ),
        ),
        {"rows": 4, "lanes": 5, "batch": 3, "line_pixels": 16},
    ),
    "packed": (
        Network(
            "packed",
            (2, 14, 13),
            (
                Conv("two", 2, 9, 3, padding=1, pool=2, relu=False),
                Conv("three", 9, 6, 3, padding=1),
                Conv("again", 6, 4, 3, padding=1, relu=False),
            ),
        ),
        {"rows": 4, "lanes": 6, "batch": 2, "line_pixels": 32},
    ),
    "beside": (
        Network(
            "beside",
            (9, 8, 8),
            (
                Conv("two", 9, 9, 3, padding=1, pool=2),
                Conv("one", 9, 6, 3, padding=1, relu=False),
                Conv("pooled", 6, 12, 3, padding=1, pool=2),
                Dense("scores", 48, 6, relu=False),
            ),
        ),
        {"rows": 4, "lanes": 10, "batch": 5, "line_pixels": 64},
    ),
    "rows": (
        Network("rows", (2, 17, 6), (Conv("a", 2, 5, 3, padding=1), Conv("b", 5, 3, 3, padding=1))),
        {"rows": 4, "lanes": 2, "batch": 1, "line_pixels": 16},
    ),
    "bands": (
        Network(
            "bands",
            (1, 40, 16),
            (
                Conv("a", 1, 6, 3, padding=1),
                Conv("b", 6, 2, 3, padding=1, relu=False),
                Conv("c", 2, 3, 3, padding=1),
            ),
        ),
        {"rows": 4, "lanes": 2, "batch": 1, "memory_lines": 280},
    ),
    "tall": (
        Network("tall", (9, 9, 8), (Conv("a", 9, 31, 3, padding=1, pool=2), Conv("b", 31, 15, 3, padding=1))),
        {"rows": 12, "lanes": 2, "batch": 2, "line_pixels": 16},
    ),
    "three": (
        Network("three", (2, 16, 6), (Conv("a", 2, 3, 3, padding=1), Conv("b", 3, 2, 3, padding=1))),
        {"rows": 4, "lanes": 6, "batch": 2, "line_pixels": 64},
    ),
    # Weights that stay do so in sets of two blocks, the last one short.
    "sets": (
        Network(
            "sets",
            (9, 12, 14),
            (Conv("a", 9, 14, 3, padding=1, pool=2), Conv("b", 14, 16, 3, padding=1, relu=False)),
        ),
        {"rows": 4, "lanes": 2, "batch": 2, "line_pixels": 16},
    ),
    "shortcut": (
        Network(
            "shortcut",
            (3, 12, 12),
            (
                Conv("x", 3, 8, 3, padding=1),
                Conv("s", 8, 12, 1, relu=False, stride=2, pointwise=True, sources=("x",)),
                Conv("a", 8, 12, 3, padding=1, stride=2, sources=("x",)),
                Conv("b", 2 * 12, 12, 3, padding=1, added=True, sources=("a", "s")),
                Conv("c", 12, 12, 3, padding=1),
                Conv("d", 2 * 12, 12, 3, padding=1, added=True, relu=False, sources=("c", "b")),
            ),
        ),
        {"rows": 4, "lanes": 2, "batch": 1, "line_pixels": 16},
    ),
    "wide": (
        Network("wide", (2, 9, 21), (Conv("a", 2, 3, 3, padding=1), Conv("b", 3, 2, 5, relu=False))),
        {"rows": 4, "lanes": 3, "batch": 2, "line_pixels": 8},
    ),
    "graph": (
        Network(
            "graph",
            (2, 13, 12),
            (
                Conv("a", 2, 5, 3, padding=1),
                Conv("b", 5, 3, 3, padding=1, relu=False),
                Conv("sum", 3 + 5, 5, 2, padding=1, end_padding=0, sources=("b", "a"), added=True),
                Conv("halved", 5 + 2, 3, 3, padding=1, stride=2, relu=False, sources=("sum", IMAGES)),
                Conv("again", 3, 2, 3, padding=1),
                Dense("d", 5 * 7 * 6, 9, relu=False, sources=("halved", "again")),
            ),
        ),
        {"rows": 4, "lanes": 3, "batch": 2, "line_pixels": 16},
    ),
    "stacks": (
        Network(
            "stacks",
            (3, 8, 8),
            (
                Conv("a", 3, 4, 3, padding=1),
                Conv("b", 4, 6, 3, padding=1, relu=False),
                Conv("sum", 6 + 4, 4, 3, padding=1, sources=("b", "a"), added=True),
                Conv("last", 4, 2, 3, padding=1, relu=False),
            ),
        ),
        {"rows": 4, "lanes": 10, "batch": 5, "line_pixels": 64},
    ),
    "strides": (
        Network(
            "strides",
            (2, 21, 12),
            (
                Conv("a", 2, 3, 3, padding=1, stride=2, end_padding=0, relu=False),
                Conv("b", 3, 2, 1, stride=2),
            ),
        ),
        {"rows": 4, "lanes": 6, "batch": 1, "line_pixels": 32},
    ),
    "pointwise": (
        Network(
            "pointwise",
            (3, 15, 13),
            (
                Conv("a", 3, 9, 1, pointwise=True, relu=False),
                Conv("b", 9, 5, 3, padding=1, stride=2),
                Conv("s", 9, 6, 1, stride=2, pointwise=True, relu=False, sources=("a",)),
                Conv("c", 5 + 6, 6, 1, added=True, pointwise=True, sources=("b", "s")),
                Conv("d", 6, 4, 1, pointwise=True, pool=2),
            ),
        ),
        {"rows": 4, "lanes": 4, "batch": 2, "line_pixels": 32},
    ),
    "mean": (
        Network(
            "mean",
            (2, 7, 7),
            (
                Conv("a", 2, 9, 3, padding=1),
                Conv("mean", 9, 9, 8, end_padding=1, groups=9, average=True, relu=False),
                Conv("b", 9, 5, 1, pointwise=True),
            ),
        ),
        {"rows": 4, "lanes": 3, "batch": 2, "line_pixels": 16},
    ),
    "pointwise bands": (
        Network(
            "pointwise-bands",
            (1, 41, 16),
            (
                Conv("a", 1, 6, 3, padding=1),
                Conv("b", 6, 5, 1, stride=2, pointwise=True, relu=False),
                Conv("c", 5, 3, 3, padding=1),
            ),
        ),
        {"rows": 4, "lanes": 2, "batch": 1, "line_pixels": 16, "memory_lines": 290},
    ),
}


@cache
def program(name, streamed=False, kind="adaptive", spectrum_bits=16):
    """The compiled program of a case; ``streamed``: weights come from memory, and stay where that pays."""
    found = compiled(name, streamed, kind, spectrum_bits)
    return in_sets(found, 2) if name == "sets" and streamed else found


def in_sets(found, size):
    """The program with sets of ``size`` blocks wherever weights stay."""
    plans = [replace(p, blocks_per_transform=size) if p.weights_stay else p for p in found.layers]
    assert all(plan.blocks % plan.blocks_per_transform == 0 for plan in plans)
    return replace(found, layers=tuple(plans))


def compiled(name, streamed, kind, spectrum_bits):
    """The program as it is compiled."""
    network, options = CASES[name]
    memory = {"stream_weights": True, "bus_bits": 64} if streamed else {}
    config = AcceleratorConfig(**options, **memory)
    artifact = random_artifact(network, seed=1, kind=kind, spectrum_bits=spectrum_bits)
    return compile_program(artifact, config)


def passes(plan, images, *, blocks=True, dot_images=False):
    """Per pass of a layer, in order: block, group row, group column, stack of images."""
    rows, columns = (1, 1) if plan.dot else (plan.group_rows, plan.group_columns)
    stacks = 1 if plan.dot and not dot_images else -(-images // plan.images)
    size = plan.blocks_per_transform
    return [
        (o + i, row, column, stack)
        for o in range(0, plan.blocks, size)
        for stack in range(stacks)
        for row in range(rows)
        for column in range(columns)
        for i in range(size if blocks else 1)
    ]


def signed_source(compiled, instruction):
    """Which of the channels that an instruction reads have signed pixels: those that layers without ReLU,
    or with a leaky one, made, which are before its own, or named by it."""
    number, network = compiled.layers[instruction].number, compiled.network
    layers = {layer.name: layer for layer in network.layers}
    before = network.layers[number - 1].name if number else IMAGES
    signs = []
    for source in network.layers[number].sources or (before,):
        made = layers.get(source)
        channels = network.maps[0 if made is None else network.layers.index(made) + 1][0]
        signs += channels * [made is not None and made.signed]
    return np.array(signs)


def random_maps(plan, images, signed, rng):
    """Maps (image, c, h, w) that ``plan``, a FeatureLayout, has room for, with both extremes; ``signed``, of
    every channel."""
    maps = rng.integers(0, 256, (images, *plan.shape))
    maps.reshape(-1)[:: max(1, maps.size // 7)] = 0
    maps.reshape(-1)[3 :: max(1, maps.size // 5)] = 255
    return maps - 128 * signed[:, None, None]


def position_of(plan, image, channel, y):
    """The first pixel of a map's row in feature memory, as (line, pixel in the line)."""
    line, slot = plan.position(y)
    image_line, image_slot = plan.image_position(image)
    pixel = (slot + image_slot) * plan.slot_pixels + plan.padding if plan.packing > 1 else 0
    return plan.base + image_line + channel * plan.channel_lines + line, pixel


def stored(compiled, plan, maps, rows, rng):
    """Feature memory (lines, pixels) with ``rows`` of ``maps`` where ``plan`` says, garbage elsewhere."""
    line = compiled.config.line_pixels
    memory = rng.integers(0, 256, (compiled.memory_lines + 2) * line, dtype=np.uint8)
    for image, channels in enumerate(maps):
        for channel, pixels in enumerate(channels):
            for y in rows:
                first, pixel = position_of(plan, image, channel, y)
                at = first * line + pixel
                memory[at : at + plan.shape[2]] = pixels[y].astype(np.uint8)
    return memory.reshape(-1, line)
