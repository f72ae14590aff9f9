"""How the lanes go over every map, and where the maps lie: of a chain in row bands where they are too large,
of a graph each as a whole."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf

from hw.compile.feature_layout import FeatureLayout
from hw.compile.lane_layout import (
    GroupWork,
    LaneLayout,
    best_layout,
    lane_layouts,
    layout_cost,
    packed_rows_fit,
)
from hw.compile.map_placement import Buffer, buffers_of, place
from hw.compile.row_bands import GroupRows, Instruction, plan_row_bands
from hw.contract.config import CLOCKS_PER_TILE, AcceleratorConfig
from hw.contract.network import Conv, Layer, Network, Shape
from hw.contract.spectrum import TILE

INSTRUCTION_CLOCKS = 150
"""About what an instruction of the layer program takes beside its work: latencies, and a change of layer."""


Work = Callable[[int, bool], GroupWork]
"""What a tile group takes of the layer with that number, if rows of its map may be packed, or not."""


@dataclass(frozen=True)
class FeatureMaps:
    """instructions: of the layer program. Of every layer, lanes: how they lie over its tiles; sources, dests:
    where the maps lie that it reads, as one, and makes. lines: the depth of the feature memory."""

    instructions: tuple[Instruction, ...]
    lanes: tuple[LaneLayout, ...]
    sources: tuple[FeatureLayout, ...]
    dests: tuple[FeatureLayout, ...]
    lines: int


def plan_maps(network: Network, config: AcceleratorConfig, work: Work, steps: Sequence[int]) -> FeatureMaps:
    """The plan for layers with this ``work``, asked for by number and whether rows of the map may be packed,
    whose ``steps`` have so many bits each.

    Raises ``ConfigError`` where ``config`` has no room, ``UnsupportedNetwork`` for a map that would have to
    lie in two places.
    """
    plan = _chain if network.chain else _graph
    return plan(network, config, work, steps)


def _chain(network: Network, config: AcceleratorConfig, work: Work, steps: Sequence[int]) -> FeatureMaps:
    lanes = lane_layouts(network, config, [work(i, True) for i in range(len(network.layers))])
    every = zip(network.layers, network.inputs, lanes, steps, strict=True)
    rows = [_group_rows(layer, shape, layout, config, bits) for layer, shape, layout, bits in every]
    layouts = [
        *(_read_layout(network, i, network.inputs[i], layout, config) for i, layout in enumerate(lanes)),
        _plain(network.maps[-1], config),
    ]
    found = plan_row_bands(rows, layouts, config.batch, config.memory_lines)
    return FeatureMaps(found.instructions, tuple(lanes), found.layouts[:-1], found.layouts[1:], found.lines)


def _graph(network: Network, config: AcceleratorConfig, work: Work, steps: Sequence[int]) -> FeatureMaps:
    buffers, numbers = buffers_of(network), range(len(network.layers))
    lanes = lane_layouts(network, config, [work(i, True) for i in numbers])
    shared: dict[int, LaneLayout] = {}
    for buffer in buffers:
        shared |= _shared_layout(network, _readers(network, buffer), lanes, config, work)
    lanes = [shared.get(i, layout) for i, layout in enumerate(lanes)]
    layouts = [_buffer_layout(network, buffer, lanes, config) for buffer in buffers]
    # A map that two layers would have in different ways is not packed, and they do with that.
    plain = {
        i
        for buffer, layout in zip(buffers, layouts, strict=True)
        if layout.packing == 1
        for i in _readers(network, buffer)
    }
    lanes = lane_layouts(network, config, [work(i, i not in plain) for i in numbers], plain)
    lanes = [shared.get(i, layout) for i, layout in enumerate(lanes)]
    placed = place(network, buffers, layouts, config.batch, config.memory_lines)
    every = zip(network.layers, network.inputs, lanes, steps, strict=True)
    rows = [_group_rows(layer, shape, layout, config, bits) for layer, shape, layout, bits in every]
    instructions = tuple(Instruction(i, 0, row.groups) for i, row in enumerate(rows))
    return FeatureMaps(instructions, tuple(lanes), placed.sources, placed.layouts[1:], placed.lines)


def _shared_layout(
    network: Network,
    readers: Collection[int],
    lanes: Sequence[LaneLayout],
    config: AcceleratorConfig,
    work: Work,
) -> dict[int, LaneLayout]:
    """Of pointwise ``readers`` of a map that would pack its rows in different ways: the layout of one of them
    for all, where that leaves fewer clocks than rows in lines of their own."""
    every: list[tuple[Conv, Shape, int]] = []
    for i in readers:
        layer = network.layers[i]
        if layer.dot or not layer.pointwise:
            return {}
        every.append((layer, network.inputs[i], i))
    if len({lanes[i] for i in readers}) < 2:
        return {}

    def clocks(layout: LaneLayout) -> float:
        fits = all(packed_rows_fit(layer, shape, layout, config.line_pixels) for layer, shape, _ in every)
        costs = (layout_cost(layer, shape, layout, work(i, True))[0] for layer, shape, i in every)
        return sum(costs) if fits else inf

    best = min((lanes[i] for i in readers if lanes[i].packed), key=clocks, default=None)
    apart = [
        best_layout(layer, shape, config.lanes, config.line_pixels, work(i, False), False)[0][0]
        for layer, shape, i in every
    ]
    return dict.fromkeys(readers, best) if best and clocks(best) < sum(apart) else {}


def _readers(network: Network, buffer: Buffer) -> Collection[int]:
    return {i for number in buffer for i in network.readers(number)}


def _buffer_layout(
    network: Network, buffer: Buffer, lanes: Sequence[LaneLayout], config: AcceleratorConfig
) -> FeatureLayout:
    """How the maps of a buffer lie: as all their readers would have them, else with each row in lines of its
    own."""
    shape = (sum(network.maps[number][0] for number in buffer), *network.maps[buffer[0]][1:])
    wanted = {_read_layout(network, i, shape, lanes[i], config) for i in _readers(network, buffer)}
    return wanted.pop() if len(wanted) == 1 else _plain(shape, config)


def _read_layout(
    network: Network, reader: int, shape: Shape, layout: LaneLayout, config: AcceleratorConfig
) -> FeatureLayout:
    """How a map of ``shape`` lies, not yet where, for the layer ``reader`` in this lane ``layout``."""
    layer, line = network.layers[reader], config.line_pixels
    if not layout.packed:
        return _plain(shape, config)
    return FeatureLayout(
        shape,
        0,
        packing=layout.rows,
        slot_pixels=line // layout.rows,
        interleave=layout.row_stride(layer),
        padding=layer.tile_padding,
        images=layout.images,
    )


def _plain(shape: Shape, config: AcceleratorConfig) -> FeatureLayout:
    return FeatureLayout(shape, 0, -(-shape[2] // config.line_pixels))


def _group_rows(
    layer: Layer, shape: Shape, layout: LaneLayout, config: AcceleratorConfig, bits: int
) -> GroupRows:
    """How ``layer``, whose steps have so many bits, goes over its map."""
    if layer.dot:
        return GroupRows(layer.name, 1, shape[1], 0, 0, 1, cost=0, splits=False)
    height = layout.rows * layout.row_stride(layer)
    fetched = bits // config.bus_bits if config.stream_weights else 0
    # A tile group through transform and output.
    through = CLOCKS_PER_TILE * (shape[0] + min(config.rows, layer.out_channels))
    return GroupRows(
        name=layer.name,
        groups=-(-layer.tiles(shape, layout.height)[0] // layout.rows),
        stride=height,
        overlap=max(0, TILE - layer.tile_stride),
        padding=layer.tile_padding,
        made=height // layer.step,
        cost=INSTRUCTION_CLOCKS + through + fetched,
    )
