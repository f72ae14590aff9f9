"""Sets of blocks: how many blocks of outputs meet the spectra of a tile group before the next one is fetched.

Where weights stay, the forward transform is made again for every set of blocks. At 2 of 8 weights a block
keeps the array as busy as the transform, so sets of one block cost nothing; at 1 of 8 the array would wait,
and two blocks a set halve the transforms. Larger sets also leave the next layer's first tile group more time
to be fetched. A set lies in the weight buffer as a whole, so larger ones leave
less room for the next set to arrive meanwhile. Here that is weighed, layer by layer, for the lane layout
that is best with sets of one block.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hw.compile.lane_layout import GroupWork, LaneLayout, best_layout, layout_cost
from hw.compile.step_format import StepFormat
from hw.compile.step_table import StepTable
from hw.compile.weight_stream import StepUnits, layer_units, roomy
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, Shape
from hw.host_interface.stream_format import LEAST_BEATS, map_beats

DEPTH = 8192
"""Steps of the weight buffer up to which several blocks may ask for one, where the compiler sizes it: what a
block of 2 of 8 weights from 512 channels takes."""

GAIN = 0.99
"""A larger set has to leave at most this share of a layer's clocks: it takes room that others could use."""


@dataclass(frozen=True)
class SetSizes:
    """What decides the sets of a network's layers. step: in bits; units: in memory and weight buffer. steps:
    that a set of several blocks may have. depth: of the weight buffer, as far as it is known."""

    step: StepFormat
    units: StepUnits
    steps: int
    depth: int

    def with_layout(
        self,
        layer: Conv,
        shape: Shape,
        table: StepTable,
        work: GroupWork,
        width: int,
        config: AcceleratorConfig,
        packs: bool,
    ) -> GroupWork:
        """``work`` with the number of sets that, each in the lane layout that suits it, leaves fewest clocks:
        rows of the map may be packed or not (``packs``)."""
        blocks = len(table.block_lengths)
        chosen, least = work, np.inf
        for size in self._sizes(table):
            wanted = replace(work, fetches=blocks // size)
            layout = best_layout(layer, shape, config.lanes, config.line_pixels, wanted, packs)[1]
            clocks = self._clocks(layer, shape, table, work, layout, width, size) if layout.rows else np.inf
            if clocks <= GAIN * least:
                chosen, least = wanted, clocks
        return chosen

    def choose(
        self, layer: Conv, shape: Shape, table: StepTable, work: GroupWork, layout: LaneLayout, width: int
    ) -> int:
        """Blocks of a set of ``layer``, a divisor of all that its ``table`` has. ``work``: of a tile group in
        this ``layout``; ``width``: bits of a weight's part."""
        chosen, least = 1, np.inf
        for size in self._sizes(table):
            clocks = self._clocks(layer, shape, table, work, layout, width, size)
            if clocks <= GAIN * least:
                chosen, least = size, clocks
        return chosen

    def _sizes(self, table: StepTable) -> list[int]:
        """Blocks that a set may have: a divisor of all, as far as the weight buffer holds them."""
        blocks = len(table.block_lengths)
        return [
            n for n in range(1, blocks + 1) if blocks % n == 0 and (n == 1 or _most(table, n) <= self.steps)
        ]

    def _clocks(
        self,
        layer: Conv,
        shape: Shape,
        table: StepTable,
        work: GroupWork,
        layout: LaneLayout,
        width: int,
        size: int,
    ) -> float:
        """Clocks of a batch in sets of ``size`` blocks."""
        sets, most = len(table.block_lengths) // size, _most(table, size)
        beats = layer_units(self.step, width, self.units.beat) / self.units.beat
        each, groups, _ = layout_cost(layer, shape, layout, replace(work, fetches=sets))
        beside = max(0, self.depth - most) * beats
        clocks = _clocks(each * work.images, groups * work.images, sets, most * beats, beside)
        # The array is at work on the last tile group while the next layer's first one is fetched, of twice as
        # many channels, say.
        lines, array = layer.in_channels * layout.lines(layer), work.array * layout.words(layer) // sets
        return clocks + max(0, 2 * lines - array)


def _most(table: StepTable, size: int) -> int:
    """Steps of the largest set of ``size`` blocks."""
    return int(table.block_lengths.reshape(-1, size).sum(axis=1).max())


def set_sizes(
    config: AcceleratorConfig, step: StepFormat, tables: Sequence[StepTable], widths: Sequence[int]
) -> SetSizes:
    """Of layers with the steps ``tables`` and weights of ``widths`` bits a part."""
    units = StepUnits.of(step, widths, config.bus_bits)
    if config.weight_steps:
        return SetSizes(step, units, config.weight_steps - units.least_beside, config.weight_steps)
    largest = max(int(table.block_lengths.max()) for table in tables)
    steps = max(largest, DEPTH * 2 // 3)  # what a buffer of DEPTH is roomy for
    return SetSizes(step, units, steps, roomy(steps))


def _clocks(playing: float, groups: float, sets: int, arriving: float, beside: float) -> float:
    """Clocks of a batch of so many tile ``groups`` that would play for ``playing`` clocks if all weights were
    there: in ``sets`` sets of ``arriving`` beats each, ``beside`` of which fit beside the set at hand."""
    last = playing / sets / groups
    ahead = min(arriving, beside, playing / sets - last)
    return playing + sets * max(0.0, arriving - ahead - last)


def group_work(network: Network, config: AcceleratorConfig, steps: StepTable) -> GroupWork:
    """What a tile group of a layer of these steps takes, in sets of one block where weights are streamed. A
    word takes its steps, or as long as its drain."""
    maps = network.maps if network.classes is None else network.maps[:-1]
    beats = min(map_beats(shape, config.stream_pixels) for shape in maps)
    images = config.batch if beats >= LEAST_BEATS else 1
    array = int(np.maximum(steps.word_lengths, config.rows // config.drain).sum())
    return GroupWork(array, len(steps.block_lengths) if config.stream_weights else 1, images)
