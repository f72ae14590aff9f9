"""Head starts: how much of a layer has to be there before the next one may begin to read it.

The stages of the pipeline go through the layer program each on its own, so a layer is fetched while the one
before it is still written. What is fetched comes in *segments*, and segment s waits for ``first`` + s ·
``more`` passes of the instruction before. Where one of the two has a single tile group, a segment is as many
channels as a pass makes. Else the last set of blocks goes over the map once more, which completes it tile
group by tile group, and a segment is a tile group of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hw.compile.layer_plan import LayerPlan
from hw.contract.network import Network
from hw.contract.spectrum import TILE


@dataclass(frozen=True)
class HeadStart:
    """first: passes of the instruction before that have to have ended before the first segment is fetched,
    less than none where later ones need some; more: for every segment after it so many more. of_channels: a
    segment is N channels, else a tile group (in dot mode an image). first_channel: with which a tile group
    begins; the channels above it come first, then those from 0 on."""

    first: int
    more: int = 0
    of_channels: bool = False
    first_channel: int = 0


OPEN = HeadStart(0)
"""Nothing is read of what the instruction before makes."""


def counts_all(plan: LayerPlan, batch: int) -> bool:
    """Whether all passes of an instruction count, since they are those of a single tile group; else those of
    its last set of blocks do."""
    return tile_groups(plan, batch) == 1


def passes_counted(plan: LayerPlan, batch: int) -> int:
    """Passes that count in a run of ``batch`` images."""
    if counts_all(plan, batch):
        return plan.blocks
    return plan.blocks_per_transform * tile_groups(plan, batch)


def head_starts(network: Network, plans: Sequence[LayerPlan], rows: int, batch: int) -> tuple[HeadStart, ...]:
    """Of every instruction of the layer program for an array of ``rows``; the first one has nobody before
    it."""
    found = [_head_start(network, before, plan, rows, batch) for before, plan in pairwise(plans)]
    return OPEN, *found


def _head_start(network: Network, before: LayerPlan, plan: LayerPlan, rows: int, batch: int) -> HeadStart:
    """Of ``plan`` behind ``before``: what is not worked out here waits for the end of that one."""
    sources = network.sources[plan.number]
    if before.number + 1 not in sources:
        return OPEN
    never = HeadStart(passes_counted(before, batch) + 1)
    if before.dot or plan.channels != plan.source.shape[0]:
        return never
    if counts_all(before, batch) or tile_groups(plan, batch) == 1:
        # What is added was made before what is convolved, or just now: then it comes last, as it lies.
        added = network.maps[sources[-1]][0] if plan.layer.added and sources[-1] != before.number + 1 else 0
        first_channel = (plan.channels - added) % plan.channels
        needs = _by_channels(network, before, plan, rows, batch, first_channel)
        return HeadStart(*_line(needs), of_channels=True, first_channel=first_channel)
    return HeadStart(*_line(_by_groups(before, plan, batch)))


def tile_groups(plan: LayerPlan, images: int) -> int:
    """Tile groups of ``images``; in dot mode they are one."""
    return 1 if plan.dot else plan.group_rows * plan.group_columns * plan.source.stacks(images)


def _by_channels(
    network: Network, before: LayerPlan, plan: LayerPlan, rows: int, batch: int, first_channel: int
) -> list[int]:
    """Passes that every N = ``rows`` channels of the first tile group need, from ``first_channel`` on."""
    need = np.zeros(plan.channels, int)
    block = np.arange(before.outputs) // rows
    if not counts_all(before, batch):
        in_set = block - (before.blocks - before.blocks_per_transform)  # of the last set, which alone counts
        block = np.where(in_set < 0, 0, passes_counted(before, batch) - before.blocks_per_transform + in_set)
    start = 0
    for source in network.sources[plan.number]:
        count = network.maps[source][0]
        if source == before.number + 1:
            need[start : start + count] = block + 1
        start += count
    need = np.roll(need, -first_channel)
    return [int(need[first : first + rows].max()) for first in range(0, plan.channels, rows)]


def _by_groups(before: LayerPlan, plan: LayerPlan, batch: int) -> list[int]:
    """Passes of the last set that every tile group needs, of every image in dot mode."""
    per_row = before.group_columns * before.blocks_per_transform
    needs = []
    stacks = batch if plan.dot else plan.source.stacks(batch)
    for stack in range(stacks):
        images = 1 if plan.dot else plan.source.images
        last_image = min(batch, (stack + 1) * images) - 1
        above = last_image // before.source.images * before.group_rows
        for row in range(1 if plan.dot else plan.group_rows):
            group = _last_row(plan, row) // before.out_group_height - before.top_group
            if before.source.images > 1 or plan.dot or group >= before.group_rows:
                group = before.group_rows - 1
            needs += [(above + max(-1, group) + 1) * per_row] * (1 if plan.dot else plan.group_columns)
    return needs


def _last_row(plan: LayerPlan, group_row: int) -> int:
    """The last row of the map that a row of tile groups reads; those below it may not be there."""
    top = (plan.top_group + group_row) * plan.group_height - plan.layer.tile_padding
    beyond = TILE - plan.tile_stride if plan.layer.transformed else 0
    return max(0, top + plan.group_height + beyond - 1)


def _line(needs: Sequence[int]) -> tuple[int, int]:
    """First and more, none of ``needs`` above the line: the one that is least above them."""
    points = [(s, need) for s, need in enumerate(needs) if need]  # who needs none takes any line
    if not points:
        return 0, 0
    (start, least), *_ = points
    slopes = {-(-(need - least) // (s - start)) for s, need in points if s > start}
    rising = {0, least, *(slope for slope in slopes if slope > 0)}
    lines = [(max(need - more * s for s, need in points), more) for more in sorted(rising)]
    segments, most = np.arange(len(needs)), max(needs)
    return min(lines, key=lambda line: int(np.clip(line[0] + line[1] * segments, 0, most).sum()))
