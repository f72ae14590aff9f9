"""Head starts: nothing is fetched before it is written, whatever the layout; and what can overlap does."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.head_start import OPEN, counts_all, passes_counted
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network
from hw.contract.spectrum import TILE
from tests.designs.generator import design
from tests.hw.gateware.programs import CASES, passes, program


def completed(before, images, rows, batch):
    """Array (images, channels, rows of the map): of every row, how many passes that count have to end."""
    _, height, _ = before.dest.shape
    found = np.zeros((images, before.outputs, height), int)
    order = list(passes(before, images))
    last_set = before.blocks - before.blocks_per_transform
    number = 0
    for block, group_row, _, stack in order:
        number += counts_all(before, batch) or block >= last_set
        channels = slice(block * rows, (block + 1) * rows)
        first = (before.top_group + group_row) * before.out_group_height
        lines = slice(first, first + before.out_group_height)
        of = slice(stack * before.images, (stack + 1) * before.images)
        if before.images > 1:
            lines = slice(0, height)
        found[of, channels, lines] = number
    assert number == passes_counted(before, images) or images < batch
    return found


def segments(plan, head, images, rows):
    """Per segment in the order of the fetch: the images, channels and rows of the map that it reads."""
    _, height, _ = plan.source.shape
    for _, group_row, _, stack in passes(plan, images, blocks=False, dot_images=True):
        top = (plan.top_group + group_row) * plan.group_height - plan.layer.tile_padding
        seen = TILE if plan.layer.transformed else plan.row_stride
        last = top + (plan.lane_rows - 1) * plan.row_stride + seen
        lines = slice(max(0, top), min(height, last))
        if plan.images > 1 or plan.dot:
            lines = slice(0, height)
        of = slice(stack * plan.images, (stack + 1) * plan.images)
        order = [*range(head.first_channel, plan.channels), *range(head.first_channel)]
        size = rows if head.of_channels else plan.channels
        for first in range(0, plan.channels, size):
            channels = order[first : first + size]
            yield np.ix_(range(images)[of], channels, range(height)[lines])


def check(compiled):
    """That no segment is open before what it reads is complete; returns how many layers do not wait for the
    end of the one before."""
    rows, batch, early = compiled.config.rows, compiled.config.batch, 0
    network, plans = compiled.network, compiled.layers
    for before, plan, head in zip(plans, plans[1:], compiled.head_starts[1:], strict=False):
        sources = network.sources[plan.number]
        reads = before.number + 1 in sources
        total = passes_counted(before, batch)
        assert reads or head == OPEN
        if not reads or head.first > total:
            early += not reads
            continue
        early += 1
        assert not before.dot and plan.channels == plan.source.shape[0]
        for images in {1, batch}:
            needs = completed(before, images, rows, batch)
            # Maps of other layers were complete before.
            joined = [
                needs if source == before.number + 1 else np.zeros((images, *network.maps[source][:2]), int)
                for source in sources
            ]
            needs = np.concatenate(joined, axis=1)
            for number, part in enumerate(segments(plan, head, images, rows)):
                wanted = needs[part]
                if wanted.size and wanted.max():
                    assert head.first + number * head.more >= wanted.max(), (plan.layer.name, number, part)
    return early


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_nothing_is_fetched_before_it_is_written(name, streamed):
    check(program(name, streamed))


def test_nor_in_random_designs():
    early = [check(design(seed).program) for seed in range(1, 40)]
    assert sum(early) > 30


CHAIN = Network(
    "chain",
    (8, 12, 12),
    (
        Conv("a", 8, 24, 3, padding=1),
        Conv("b", 24, 24, 3, padding=1),
        Conv("c", 24, 8, 3, padding=1, pool=2),
        Dense("d", 8 * 6 * 6, 4, relu=False),
    ),
)


def heads(lanes, batch=1, rows=8):
    compiled = compile_program(random_artifact(CHAIN), AcceleratorConfig(rows, lanes, batch))
    return compiled.head_starts


def test_maps_of_one_tile_group_are_read_block_by_block():
    first, of_a, of_b, of_c = heads(4)
    assert first == OPEN
    assert [(head.first, head.more, head.of_channels) for head in (of_a, of_b)] == 2 * [(1, 1, True)]
    assert (of_c.first, of_c.of_channels) == (1, True)


def test_larger_ones_group_by_group():
    _, of_a, *_ = heads(1)
    # Windows of 8 rows reach into the second row of tile groups, of two groups of three blocks each.
    assert (of_a.first, of_a.of_channels) == (2 * 2 * 3, False)
