"""Which lines of the feature memory a map takes, and from which layer to which: plain data for
design.json."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hw.compile.feature_layout import FeatureLayout
from hw.compile.map_placement import lives
from hw.compile.program import Program


def memory_use(program: Program) -> dict[str, Any]:
    """``lines``: the depth. ``maps``: of every map that lies there, ``map``, its number in the network,
    ``made``, the layer that makes it (-1: none, it is the images), ``last``, the last one that reads it,
    ``parts``: (first line, lines) of those of a full batch, several where other maps lie between them. Of a
    map in row bands they are those of its ring.

    Class scores lie in no memory.
    """
    network, batch = program.network, program.config.batch
    plans = {plan.number: plan for plan in program.layers}
    layouts = {number + 1: plan.dest for number, plan in plans.items()} | {0: _images(program)}
    if network.classes is not None:
        del layouts[len(network.layers)]
    maps = []
    for number, (made, last) in enumerate(lives(network)):
        if layout := layouts.get(number):
            maps.append({"map": number, "made": made, "last": last, "parts": _parts(layout, batch)})
    return {"lines": program.memory_lines, "maps": maps}


def _parts(layout: FeatureLayout, batch: int) -> list[list[int]]:
    stacks, pitch = layout.stacks(batch), layout.stack_lines
    if pitch == layout.lines:
        return [[layout.base, stacks * pitch]]
    return [[layout.base + stack * pitch, layout.lines] for stack in range(stacks)]


def _images(program: Program) -> FeatureLayout:
    """Where the images lie: of what a layer reads together with others, their part."""
    network = program.network
    plan = next(plan for plan in program.layers if 0 in network.sources[plan.number])
    layout = plan.source
    before = network.sources[plan.number]
    channels = sum(network.maps[number][0] for number in before[: before.index(0)])
    base, pitch = layout.base + channels * layout.channel_lines, layout.stack_lines
    return replace(layout, shape=network.maps[0], base=base, pitch=pitch)
