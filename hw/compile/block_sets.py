"""Sets of blocks: how many blocks of outputs meet the spectra of a tile group before the next one is fetched.

Where weights stay, the forward transform is made again for every set of blocks. At 2 of 8 weights a block
keeps the array as busy as the transform, so sets of one block cost nothing; at 1 of 8 the array would wait,
and two blocks a set halve the transforms. A set lies in the weight buffer as a whole, so larger ones leave
less room for the next set to arrive meanwhile. Here that is weighed, layer by layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hw.compile.lane_layout import GroupWork, best_layout
from hw.compile.step_format import StepFormat
from hw.compile.step_table import StepTable
from hw.compile.weight_stream import StepUnits, layer_units, power_of_two
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, Shape
from hw.host_interface.stream_format import LEAST_BEATS, map_beats

DEPTH = 8192
"""Steps of the weight buffer up to which several blocks may ask for one, where the compiler sizes it: what a
block of 2 of 8 weights from 512 channels takes."""

GAIN = 0.98
"""A larger set has to leave at most this share of a layer's clocks: it takes room that others could use."""


@dataclass(frozen=True)
class SetSizes:
    """What decides the sets of a network's layers. step: in bits; units: in memory and weight buffer. steps:
    that a set of several blocks may have. depth: of the weight buffer, as far as it is known."""

    config: AcceleratorConfig
    step: StepFormat
    units: StepUnits
    steps: int
    depth: int

    def choose(
        self, layer: Conv, shape: Shape, table: StepTable, work: GroupWork, line: int, width: int
    ) -> int:
        """Blocks of a set of ``layer``, a divisor of all that its ``table`` has. ``work``: of a tile group;
        ``line``: pixels; ``width``: bits of a weight's part."""
        block_steps = table.block_lengths
        blocks = len(block_steps)
        beats = layer_units(self.step, width, self.units.beat) / self.units.beat
        options = []
        for size in (n for n in range(1, blocks + 1) if blocks % n == 0):
            most = int(block_steps.reshape(-1, size).sum(axis=1).max())
            options.append((size, self._clocks(layer, shape, work, line, blocks // size, most, beats)))
        least = min(clocks for _, clocks in options)
        chosen, at = options[0]
        for size, clocks in options[1:]:
            if clocks <= GAIN * at and clocks < np.inf:
                chosen, at = size, clocks
        return chosen if at < np.inf or least == np.inf else 1

    def _clocks(
        self, layer: Conv, shape: Shape, work: GroupWork, line: int, sets: int, steps: int, beats: float
    ) -> float:
        """Clocks of a batch in ``sets`` sets of so many ``steps``, each of so many ``beats``; infinite where
        such a set has no room."""
        several = sets < -(-layer.outputs // self.config.rows)
        cost, _ = best_layout(layer, shape, self.config.lanes, line, replace(work, fetches=sets))
        groups = round(cost[1] * work.images)
        if groups <= 1:
            return max(cost[0] * work.images, sets * steps * beats)
        if several and steps > self.steps:
            return np.inf
        playing = cost[0] * work.images / sets
        last = playing / groups
        arriving = steps * beats
        ahead = min(arriving, max(0, self.depth - steps) * beats, playing - last)
        return sets * (playing + max(0.0, arriving - ahead - last))


def set_sizes(
    config: AcceleratorConfig, step: StepFormat, tables: Sequence[StepTable], widths: Sequence[int]
) -> SetSizes:
    """Of layers with the steps ``tables`` and weights of ``widths`` bits a part."""
    units = StepUnits.of(step, widths, config.bus_bits)
    if config.weight_steps:
        return SetSizes(config, step, units, config.weight_steps - units.least_beside, config.weight_steps)
    largest = max(int(table.block_lengths.max()) for table in tables)
    steps = max(largest, DEPTH * 2 // 3)  # a buffer is half as large again as what is replayed
    return SetSizes(config, step, units, steps, power_of_two(steps * 3 // 2))


def layer_work(
    network: Network,
    config: AcceleratorConfig,
    tables: Sequence[StepTable],
    widths: Sequence[int],
    sets: SetSizes,
    line: int,
) -> list[GroupWork]:
    """What a tile group of every layer takes, fetched as often as is best with lines of ``line`` pixels."""
    found = []
    for layer, shape, table, width in zip(network.layers, network.shapes, tables, widths, strict=False):
        work = group_work(network, config, table, 1)
        if config.stream_weights and not layer.dot:
            size = sets.choose(layer, shape, table, work, line, width)
            work = replace(work, fetches=-(-layer.outputs // config.rows) // size)
        found.append(work)
    return found


def group_work(network: Network, config: AcceleratorConfig, steps: StepTable, fetches: int) -> GroupWork:
    """What a tile group of a layer of these steps takes. A word takes its steps, or as long as its drain."""
    maps = network.shapes if network.classes is None else network.shapes[:-1]
    images = config.batch if min(map(map_beats, maps)) >= LEAST_BEATS else 1
    array = int(np.maximum(steps.word_lengths, config.rows // config.drain).sum())
    return GroupWork(array, fetches, images)
