"""The compiler: artifact and configuration to the layer program the sequencer runs.

It decides, per layer: how the P lanes lie over the tile grid (R rows × Q columns), where maps live in
feature memory, how masks become steps. Everything the gateware needs to know about a network is in
the :class:`Program` it returns; the cost model reads the same object.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import zip_longest

import numpy as np
from numpy.typing import NDArray

from hw.artifact import Artifact, Sparsity
from hw.config import BANKS, CLOCKS_PER_TILE, AcceleratorConfig
from hw.errors import ConfigError
from hw.formats import SPECTRUM
from hw.network import Conv, Layer, Network, Shape
from hw.step_format import StepFormat
from hw.step_table import StepTable, step_table
from hw.weight_stream import StreamPlan, plan_stream
from hw.words import TILE

Channels = tuple[NDArray[np.integer], NDArray[np.integer]]
"""Bias and shift of every output channel of a layer."""


@dataclass(frozen=True)
class MapPlan:
    """A feature map in feature memory.

    A wide map takes ``lines_per_row`` lines for each of its rows. A narrow one may lie in ``sections``
    of ``section_pixels``, so that one line holds a row for every lane row of the layer that reads it:
    padded row ρ = y + ``padding`` lies in section (ρ div ``period``) mod ``sections`` of line
    (ρ div (``sections`` · ``period``)) · ``period`` + ρ mod ``period``, padded column x + ``padding`` at
    that pixel of the section. Padding itself is never stored.
    """

    shape: Shape
    base: int
    lines_per_row: int = 1
    sections: int = 1
    section_pixels: int = 0
    period: int = 1
    padding: int = 0

    @property
    def channel_lines(self) -> int:
        """Lines of one channel."""
        if self.sections == 1:
            return self.shape[1] * self.lines_per_row
        rows = self.sections * self.period
        return -(-(self.shape[1] + self.padding) // rows) * self.period

    def place(self, y: int) -> tuple[int, int]:
        """(line, section) of row ``y``, from the first line of its channel."""
        if self.sections == 1:
            return y * self.lines_per_row, 0
        row = y + self.padding
        group, within = divmod(row, self.sections * self.period)
        section, phase = divmod(within, self.period)
        return group * self.period + phase, section

    @property
    def section_mask(self) -> int:
        """The pixels of a line that can lie inside the map, one bit each; all for a map without sections."""
        if self.sections == 1:
            return 0
        row = ((1 << self.shape[2]) - 1) << self.padding
        return sum(row << (s * self.section_pixels) for s in range(self.sections))

    @property
    def lines(self) -> int:
        """Lines of one image's map; the next image follows directly."""
        return self.shape[0] * self.channel_lines


@dataclass(frozen=True)
class LayerPlan:
    """One entry of the layer program. Lane p sits at lane row p // Q, lane column p % Q."""

    layer: Layer
    dot: bool
    source: MapPlan
    dest: MapPlan
    lane_rows: int
    lane_columns: int
    tile_rows: int
    tile_columns: int
    stride: int
    blocks: int
    steps: StepTable
    first_step: int
    first_entry: int
    weights_stay: bool = False
    """Every block goes over all tile groups before the next one: its weights are fetched once."""

    @property
    def sections(self) -> int:
        """Lane rows that one line feeds at once; 1 where they take their rows from later lines."""
        return self.source.sections

    @property
    def group_lines(self) -> int:
        """Lines from a tile group to the one below it."""
        if self.sections > 1:
            return self.stride
        return self.lane_rows * self.stride * self.source.lines_per_row

    @property
    def out_stride(self) -> int:
        """Rows and columns a tile adds to the output map."""
        return self.stride // (self.layer.pool if isinstance(self.layer, Conv) else 1)

    @property
    def outputs(self) -> int:
        """Output channels (rows of the weight matrix)."""
        return self.layer.out_channels if isinstance(self.layer, Conv) else self.layer.out_features

    @property
    def group_rows(self) -> int:
        """Tile groups from top to bottom."""
        return -(-self.tile_rows // self.lane_rows)

    @property
    def group_columns(self) -> int:
        """Tile groups from left to right."""
        return -(-self.tile_columns // self.lane_columns)

    @property
    def lines_per_channel(self) -> int:
        """Lines fetched per input channel of a tile group (of an image in dot mode)."""
        if self.dot:
            return self.source.shape[1]
        if self.sections > 1:
            return TILE
        return (self.lane_rows - 1) * self.stride + TILE

    @property
    def token_interval(self) -> int:
        """Clocks between the inverse transforms of two output channels."""
        return max(CLOCKS_PER_TILE, self.lane_rows * self.stride)

    def free_clock(self, reuse_lead: int) -> int:
        """Clock of a pass's last token in which its Y half may be filled again.

        ``reuse_lead`` clocks before the last lane begins to read (``hw.timing``).
        """
        return max(0, (self.lane_rows - 1) * self.stride - reuse_lead)

    def block_rows(self, block: int, rows: int) -> int:
        """Output channels in ``block`` (the last one may be short)."""
        return min(rows, self.outputs - block * rows)


@dataclass(frozen=True)
class Program:
    """Everything the gateware and the cost model need.

    config: with ``line_pixels`` resolved. channel_bias, channel_shift: (entries, config.drain), one entry per
    drain group of every block of every layer. memory_lines: depth of the feature memory.
    groups: channel groups an X half holds. accumulator_bits: width of a product sum.
    """

    network: Network
    config: AcceleratorConfig
    digest: str
    weight_bits: int
    layers: tuple[LayerPlan, ...]
    channel_bias: NDArray[np.int64]
    channel_shift: NDArray[np.int64]
    memory_lines: int
    groups: int
    accumulator_bits: int

    @property
    def step_format(self) -> StepFormat:
        """A step in bits."""
        group_bits = max(1, (self.groups - 1).bit_length())
        return StepFormat(self.config.rows, self.weight_bits, group_bits, self.run_ahead)

    @cached_property
    def stream(self) -> StreamPlan:
        """Where the steps lie in external memory (``config.stream_weights``)."""
        replayed = [plan.weights_stay for plan in self.layers]
        config = self.config
        return plan_stream(self.step_format, self.step_tables, replayed, config.bus_bits, config.weight_steps)

    @property
    def step_tables(self) -> list[StepTable]:
        """The steps of every layer."""
        return [plan.steps for plan in self.layers]

    @property
    def steps(self) -> int:
        """Steps in the weight memory."""
        return sum(len(plan.steps) for plan in self.layers)

    @property
    def run_ahead(self) -> bool:
        """Whether rows run ahead, or banks have addresses of their own, in any layer: one array does both."""
        return any(plan.steps.run_ahead is not None for plan in self.layers)


def compile_program(artifact: Artifact, config: AcceleratorConfig) -> Program:
    """Compile ``artifact`` for an accelerator of ``config``.

    Raises ``ConfigError`` when ``line_pixels`` is too small for a layer.
    """
    tables: list[StepTable] = []
    channels: list[Channels] = []
    for layer in artifact.network.layers:
        weights = artifact.layers[layer.name]
        regular = artifact.sparsity.get(layer.name, Sparsity()).regular
        tables.append(step_table(weights, config.rows, dot=not isinstance(layer, Conv), regular=regular))
        channels.append((weights.bias, weights.shift))
    return assemble(
        artifact.network,
        config,
        tables,
        channels,
        digest=artifact.digest,
        weight_bits=artifact.weight_bits,
        accumulator_bits=_accumulator_bits(artifact),
    )


def assemble(
    network: Network,
    config: AcceleratorConfig,
    tables: Sequence[StepTable],
    channels: Sequence[Channels],
    *,
    digest: str,
    weight_bits: int,
    accumulator_bits: int,
) -> Program:
    """The program of ``network`` whose layers take the steps of ``tables`` (made for ``config.rows``), with
    the bias and shift of every output channel. Needs no weights.

    Raises ``ConfigError`` when ``line_pixels`` is too small for a layer.
    """
    line = config.line_pixels or _line_pixels(network, config)
    config = replace(config, line_pixels=line)
    layouts = _layouts(network, config)
    maps = _place_maps(network, layouts, line, config.batch)
    plans: list[LayerPlan] = []
    bias: list[NDArray[np.int64]] = []
    shift: list[NDArray[np.int64]] = []
    first_step = first_entry = 0
    for layer, layout, source, dest, steps, channel in zip(
        network.layers, layouts, maps, maps[1:], tables, channels, strict=False
    ):
        plan = _plan(layer, layout, source, dest, config, steps, first_step, first_entry)
        table = _channel_table(channel, plan, config)
        bias.append(table[0])
        shift.append(table[1])
        first_step += len(steps)
        first_entry += len(table[0])
        plans.append(plan)
    return Program(
        network=network,
        config=config,
        digest=digest,
        weight_bits=weight_bits,
        layers=tuple(plans),
        channel_bias=np.concatenate(bias),
        channel_shift=np.concatenate(shift),
        memory_lines=max(m.base + config.batch * m.lines for m in maps),
        groups=max(-(-plan.source.shape[0] // BANKS) for plan in plans),
        accumulator_bits=accumulator_bits,
    )


# --- lane layout and feature memory ---------------------------------------------------------------


@dataclass(frozen=True)
class LaneLayout:
    """R lane rows of Q lanes; ``sections``: whether a line feeds all lane rows at once. R = 0: none fits."""

    rows: int
    columns: int
    sections: bool = False


def lane_layout(layer: Conv, shape: Shape, lanes: int, line: int) -> LaneLayout:
    """The layout that needs fewest clocks, for one line of ``line`` pixels.

    Minimises tile groups first (the array's time), then lines fetched per channel.
    """
    rows, columns = layer.tiles(shape)
    best, choice = (np.inf, np.inf), LaneLayout(0, 0)
    for q in range(1, min(lanes, columns) + 1):
        if (q - 1) * layer.stride + TILE > line:
            break
        for r in range(1, min(lanes // q, rows) + 1):
            layout = LaneLayout(r, q, _sections_fit(layer, columns, r, q, line))
            cost = _layout_cost(layer, shape, layout)
            if cost < best:
                best, choice = cost, layout
    return choice


def _sections_fit(layer: Conv, tile_columns: int, r: int, q: int, line: int) -> bool:
    """Whether r rows of the whole map fit side by side into a line, and a window into two tile rows."""
    wide = (q - 1) * layer.stride + TILE
    return r > 1 and q == tile_columns and wide <= line // r and TILE <= 2 * layer.stride


def _line_pixels(network: Network, config: AcceleratorConfig) -> int:
    """Smallest power of two that lets every convolution have its fewest tile groups."""
    line = TILE
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        if isinstance(layer, Conv):
            best = _layout_cost(layer, shape, lane_layout(layer, shape, config.lanes, 1 << 30))
            # Where weights stay, every block fetches anew: then lines count as well.
            aim = best if config.stream_weights else (best[0], np.inf)
            while _layout_cost(layer, shape, lane_layout(layer, shape, config.lanes, line)) > aim:
                line *= 2
    return line


def _layout_cost(layer: Conv, shape: Shape, layout: LaneLayout) -> tuple[float, float]:
    """Tile groups, then lines fetched per channel beyond a window's."""
    if not layout.rows:
        return np.inf, np.inf
    rows, columns = layer.tiles(shape)
    extra = 0 if layout.sections else (layout.rows - 1) * layer.stride
    return -(-rows // layout.rows) * -(-columns // layout.columns), extra


def _layouts(network: Network, config: AcceleratorConfig) -> list[LaneLayout]:
    """The lane layout of every layer; of fully connected ones, a lane per image."""
    line, found = config.line_pixels, []
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        if not isinstance(layer, Conv):
            found.append(LaneLayout(config.batch, 1))
            continue
        layout = lane_layout(layer, shape, config.lanes, line)
        if not layout.rows:
            raise ConfigError(f"line_pixels {line} is less than a tile's {TILE}")
        found.append(layout)
    return found


def _place_maps(network: Network, layouts: list[LaneLayout], line: int, batch: int) -> list[MapPlan]:
    """Maps alternate between two regions, so that no layer writes what it still reads.

    How a map lies is up to the layer that reads it.
    """
    sized = []
    for shape, layer, layout in zip_longest(network.shapes, network.layers, layouts):
        plan = MapPlan(shape, 0, -(-shape[2] // line))
        if layout is not None and layout.sections and isinstance(layer, Conv):
            plan = MapPlan(shape, 0, 1, layout.rows, line // layout.rows, layer.stride, layer.padding)
        sized.append(plan)
    second = batch * max(m.lines for m in sized[::2])
    return [replace(m, base=second * (i % 2)) for i, m in enumerate(sized)]


def _plan(
    layer: Layer,
    layout: LaneLayout,
    source: MapPlan,
    dest: MapPlan,
    config: AcceleratorConfig,
    steps: StepTable,
    first_step: int,
    first_entry: int,
) -> LayerPlan:
    if isinstance(layer, Conv):
        (rows, columns), stride, outputs = layer.tiles(source.shape), layer.stride, layer.out_channels
    else:
        rows, columns, stride, outputs = config.batch, 1, 1, layer.out_features
    plan = LayerPlan(
        layer=layer,
        dot=not isinstance(layer, Conv),
        source=source,
        dest=dest,
        lane_rows=layout.rows,
        lane_columns=layout.columns,
        tile_rows=rows,
        tile_columns=columns,
        stride=stride,
        blocks=-(-outputs // config.rows),
        steps=steps,
        first_step=first_step,
        first_entry=first_entry,
    )
    once = plan.dot or (config.batch == 1 and plan.group_rows * plan.group_columns == 1)
    return replace(plan, weights_stay=config.stream_weights and not once)


def _channel_table(
    channels: Channels, plan: LayerPlan, config: AcceleratorConfig
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bias and shift, (blocks · rows / drain, drain), padded with zeros."""
    size = plan.blocks * config.rows
    bias = np.zeros(size, np.int64)
    shift = np.zeros(size, np.int64)
    bias[: plan.outputs], shift[: plan.outputs] = channels
    return bias.reshape(-1, config.drain), shift.reshape(-1, config.drain)


def _accumulator_bits(artifact: Artifact) -> int:
    """Bits of the widest product sum k1..k3: pre-added X times weight sum, most products of a row."""
    products = 1
    for layer in artifact.network.layers:
        mask = artifact.layers[layer.name].mask
        per_word = mask.sum(axis=1)  # (out, 32)
        most = per_word.max() if isinstance(layer, Conv) else per_word.sum(axis=1).max()
        products = max(products, int(most))
    return (SPECTRUM.bits + 1) + (artifact.weight_bits + 1) + int(np.ceil(np.log2(products)))
