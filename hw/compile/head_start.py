"""Head starts: how much of a layer has to be there before the next one may begin to read it.

The stages of the pipeline go through the layer program each on its own, so a layer is fetched while the one
before it is still written. What is fetched comes in *segments*, and segment s waits for ``first`` + s ·
``more`` passes of the instruction before. Where that one makes its map in a single tile group, its passes are
blocks of channels, and a segment is as many channels. Else its last set of blocks goes over the map once
more, which completes it tile group by tile group, and a segment is a tile group of the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from hw.compile.layer_plan import LayerPlan
from hw.contract.network import Network
from hw.contract.spectrum import TILE


@dataclass(frozen=True)
class HeadStart:
    """first: passes of the instruction before that have to have ended before the first segment is fetched;
    more: for every segment after it so many more. of_channels: a segment is N channels, else a tile group
    (in dot mode an image)."""

    first: int
    more: int = 0
    of_channels: bool = False


OPEN = HeadStart(0)
"""Nothing is read of what the instruction before makes."""


def counts_all(plan: LayerPlan, batch: int) -> bool:
    """Whether all passes of an instruction count, since they are those of a single tile group; else those of
    its last set of blocks do."""
    return plan.dot or plan.group_rows * plan.group_columns * plan.source.stacks(batch) == 1


def passes_counted(plan: LayerPlan, batch: int) -> int:
    """Passes that count in a run of ``batch`` images."""
    if counts_all(plan, batch):
        return plan.blocks
    return plan.blocks_per_transform * plan.group_rows * plan.group_columns * plan.source.stacks(batch)


def head_starts(network: Network, plans: Sequence[LayerPlan], rows: int, batch: int) -> tuple[HeadStart, ...]:
    """Of every instruction of the layer program for an array of ``rows``; the first one has nobody before
    it."""
    pairs = pairwise(plans)
    return OPEN, *(_head_start(network, before, plan, rows, batch) for before, plan in pairs)


def _head_start(network: Network, before: LayerPlan, plan: LayerPlan, rows: int, batch: int) -> HeadStart:
    """Raises nothing: what is not worked out here waits for the end of the instruction before."""
    sources = network.sources[plan.number]
    if before.number + 1 not in sources:
        return OPEN
    never = HeadStart(passes_counted(before, batch) + 1)
    if before.dot or before.dest.ring or plan.channels != plan.source.shape[0]:
        return never
    if counts_all(before, batch):
        return HeadStart(*_line(_by_channels(network, before, plan, rows)), of_channels=True)
    return HeadStart(*_line(_by_groups(before, plan, batch)))


def _by_channels(network: Network, before: LayerPlan, plan: LayerPlan, rows: int) -> list[int]:
    """Passes that every N = ``rows`` channels of the first tile group need."""
    sources = network.sources[plan.number]
    counts = [network.maps[source][0] for source in sources]
    starts = [0, *accumulate(counts)]
    needs = []
    for first in range(0, plan.channels, rows):
        last, need = min(first + rows, plan.channels) - 1, 0
        for source, start, count in zip(sources, starts, counts, strict=False):
            if source == before.number + 1 and first < start + count and last >= start:
                need = max(need, (min(last, start + count - 1) - start) // rows + 1)
        needs.append(need)
    return needs


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
    """First and more, none of ``needs`` above the line."""
    first = needs[0]
    steps = [-(-(need - first) // s) for s, need in enumerate(needs) if s]
    return first, max(0, *steps, 0)
