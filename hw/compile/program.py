"""The layer program: everything the gateware and the cost model need to know about a network."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.compile.feature_layout import FeatureLayout
from hw.compile.lane_layout import LaneLayout
from hw.compile.step_format import StepFormat, step_format
from hw.compile.step_table import StepTable
from hw.compile.weight_stream import StreamPlan, plan_stream
from hw.contract.config import AcceleratorConfig
from hw.contract.formats import MAX_DRAIN_SHIFT, SPECTRUM
from hw.contract.network import Layer, Network
from hw.contract.packed_products import LongestSums, PackedProducts
from hw.contract.spectrum import TILE, WORDS
from hw.util.errors import UnsupportedNetwork


@dataclass(frozen=True)
class LayerPlan:
    """One instruction of the layer program: a layer, or some of its rows of tile groups
    (:mod:`hw.compile.row_bands`).

    number: of the layer in the network, from 0. source, dest: where the maps lie that it reads and makes.
    lanes: how the lanes lie over the tiles; lane p sits at lane row p // Q, lane column p % Q. tile_rows,
    tile_columns: of the whole layer. top_group, group_rows: rows of tile groups above those of this
    instruction, and in it. blocks: of N output channels. weight_bits: width of each part of a weight.
    first_step: of the layer, in the weight memory. first_drain_group: likewise, in the table of channels.
    blocks_per_transform: blocks that meet the spectra of a tile group before the next group is fetched, a
    divisor of blocks: a *set*. weights_stay: every set goes over all tile groups before the next one, so its
    weights are fetched once, and lie in the weight buffer meanwhile.
    word_shift: by how many bits each of the 32 words is cut, where spectra are narrow.
    """

    layer: Layer
    number: int
    source: FeatureLayout
    dest: FeatureLayout
    lanes: LaneLayout
    tile_rows: int
    tile_columns: int
    top_group: int
    group_rows: int
    blocks: int
    steps: StepTable
    weight_bits: int
    first_step: int
    first_drain_group: int
    blocks_per_transform: int
    weights_stay: bool = False
    word_shift: tuple[int, ...] = (0,) * WORDS

    @property
    def dot(self) -> bool:
        """Whether the array runs in dot mode."""
        return self.layer.dot

    @property
    def tile_stride(self) -> int:
        """Columns from a tile to the next."""
        return self.layer.tile_stride

    @property
    def row_stride(self) -> int:
        """Rows from a tile to the one below it."""
        return self.lanes.row_stride(self.layer)

    @property
    def rows_made(self) -> int:
        """Rows that the array makes of a tile before pooling."""
        return self.row_stride // self.layer.sampling

    @property
    def words(self) -> int:
        """How often the steps of a block are made for a tile group (:meth:`LaneLayout.words`)."""
        return self.lanes.words(self.layer)

    @property
    def lane_rows(self) -> int:
        """R."""
        return self.lanes.rows

    @property
    def lane_columns(self) -> int:
        """Q."""
        return self.lanes.columns

    @property
    def seen(self) -> FeatureLayout:
        """The source as it is read: of a map larger than 8×8 a fully connected layer sees other channels."""
        return replace(self.source, shape=self.layer.seen(self.source.shape))

    @property
    def dot_columns(self) -> int:
        """How often a fully connected layer goes over its channels, for 8 columns each time."""
        return -(-self.source.shape[2] // TILE) if self.dot else 1

    @property
    def channels(self) -> int:
        """Channels of a tile group in the X buffer."""
        return self.seen.shape[0] * self.dot_columns

    @property
    def packing(self) -> int:
        """Lane rows that one line feeds at once; 1 where they take their rows from later lines."""
        return self.source.packing

    @property
    def images(self) -> int:
        """Images whose maps are packed into a line, so that a tile group has all of them."""
        return self.source.images

    @property
    def group_lines(self) -> int:
        """Lines from a tile group to the one below it."""
        if self.packing > 1:
            return self.row_stride
        return self.group_height * self.source.lines_per_row

    @property
    def repeated(self) -> bool:
        """Whether the array makes a block's steps once for every word of a tile: those that the design holds
        are stored so often."""
        return self.words > 1 and len(self.steps.word_lengths) == self.blocks

    @property
    def out_stride(self) -> int:
        """Columns a tile adds to the output map."""
        return self.layer.tile_stride // self.layer.step

    @property
    def out_rows(self) -> int:
        """Rows a tile adds to the output map."""
        return self.row_stride // self.layer.step

    @property
    def skew(self) -> int:
        """Clocks by which the inverse transform of a lane row starts after that of the row above it."""
        return self.lanes.skew(self.rows_made, self._made)

    @property
    def rows_written(self) -> int:
        """Rows that a tile adds to the output map: all but those that the map has not."""
        return self.dest.shape[1] if self.skew < self.rows_made else self.out_rows

    @property
    def _made(self) -> int:
        """Rows of the output map before pooling."""
        return self.dest.shape[1] * self.layer.reduction

    @property
    def outputs(self) -> int:
        """Output channels (rows of the weight matrix)."""
        return self.layer.outputs

    @property
    def group_height(self) -> int:
        """Input rows from a tile group to the one below it."""
        return self.lane_rows * self.row_stride

    @property
    def out_group_height(self) -> int:
        """Output rows of a tile group."""
        return self.lane_rows * self.out_rows

    @property
    def group_columns(self) -> int:
        """Tile groups from left to right."""
        return -(-self.tile_columns // self.lane_columns)

    @property
    def layer_groups(self) -> int:
        """Tile groups of the whole layer, in however many instructions it is made."""
        return -(-self.tile_rows // self.lane_rows) * self.group_columns

    def lanes_filled(self, lanes: int) -> float:
        """Share of P = ``lanes`` that hold a tile, over all tile groups of the layer."""
        return self.tile_rows * self.tile_columns / (self.layer_groups * lanes)

    @property
    def lines_per_channel(self) -> int:
        """Lines fetched per input channel of a tile group (of an image in dot mode, at least two)."""
        if self.layer.dot:  # not self.dot, which tells type checkers nothing
            return max(2, self.seen.shape[1])
        return self.lanes.lines(self.layer)

    @property
    def token_interval(self) -> int:
        """Clocks between the inverse transforms of two output channels; in dot mode and for averages, where
        there is none, a clock per lane row."""
        if self.dot or self._mean:
            return self.lane_rows
        return self.lanes.token_interval(self.rows_made, self._made)

    @property
    def passes_by(self) -> bool:
        """Whether words pass the inverse transform by."""
        return not self.layer.transformed or self._mean

    @property
    def _mean(self) -> bool:
        """Whether it is an average of real weights for word 0 alone, which is its own inverse transform."""
        return self.layer.average and not (self.steps.word.any() or self.steps.weight[..., 1].any())

    @property
    def sets(self) -> int:
        """Sets of blocks, which is how often a tile group is fetched and transformed."""
        return self.blocks // self.blocks_per_transform

    def free_clock(self, reuse_lead: int) -> int:
        """Clock of a pass's last token in which its Y half may be filled again.

        ``reuse_lead`` clocks before the last lane begins to read (``hw.contract.latencies``).
        """
        return max(0, (self.lane_rows - 1) * self.skew - reuse_lead)

    def block_rows(self, block: int, rows: int) -> int:
        """Output channels in ``block`` (the last one may be short)."""
        return min(rows, self.outputs - block * rows)


@dataclass(frozen=True)
class Program:
    """Everything the gateware and the cost model need.

    config: with ``line_pixels`` resolved. channel_bias, channel_shift: (drain groups, config.drain), for
    every drain group of every block of every layer. spectrum_bits: width of each part of a word in the X
    buffers and the array. drain_lift: by how many bits the drain lifts all sums, so that it never has to
    shift to the left; ``channel_shift`` has it in it. memory_lines: depth of the feature memory.
    groups: channel groups an X half holds. longest: most products of a sum. operations:
    dense-equivalent ones of an image, those of channels that pruning took away included.
    """

    network: Network
    config: AcceleratorConfig
    digest: str
    layers: tuple[LayerPlan, ...]
    channel_bias: NDArray[np.int64]
    channel_shift: NDArray[np.int64]
    memory_lines: int
    groups: int
    longest: LongestSums
    operations: int
    spectrum_bits: int = SPECTRUM.bits
    drain_lift: int = 0

    @property
    def narrow(self) -> bool:
        """Whether words are cut to less than 16 bits."""
        return self.spectrum_bits < SPECTRUM.bits

    @property
    def pointwise(self) -> bool:
        """Whether a convolution is pointwise."""
        return any(plan.layer.pointwise for plan in self.layers)

    @property
    def repeats(self) -> bool:
        """Whether the array makes steps of a layer once for every word."""
        return any(plan.repeated for plan in self.layers)

    @property
    def strides(self) -> bool:
        """Whether post-processing drops pixels of a convolution of stride 2."""
        return any(plan.layer.reduction > plan.layer.pool for plan in self.layers)

    @property
    def post_columns(self) -> int:
        """Pixels of a row of a tile that post-processing keeps."""
        layers = [plan.layer for plan in self.layers]
        sides = (layer.tile_side if layer.overlaps else 0 for layer in layers)
        return max(*(layer.tile_stride // layer.sampling for layer in layers), *sides)

    @property
    def overlaps(self) -> bool:
        """Whether pooling windows of a layer overlap, or reach beyond its map."""
        return any(plan.layer.overlaps for plan in self.layers)

    @property
    def leaks(self) -> tuple[int, ...]:
        """The different slopes of leaky ReLUs, 2^-n each."""
        return tuple(sorted({plan.layer.leak for plan in self.layers} - {0}))

    @property
    def mixes_signs(self) -> bool:
        """Whether a layer reads signed and unsigned channels."""
        pairs = zip(self.signed_channels, self.layers, strict=True)
        return any(len(signed) not in (0, plan.source.shape[0]) for signed, plan in pairs)

    @property
    def word_shifts(self) -> tuple[tuple[int, ...], ...]:
        """The different tables of word shifts, 32 each; fully connected layers have zeros."""
        return tuple(dict.fromkeys(plan.word_shift for plan in self.layers))

    @property
    def transform_shifts(self) -> tuple[tuple[int, ...], ...]:
        """Those of convolutions, by which words are cut behind the forward transform; one table at least."""
        return tuple(dict.fromkeys(p.word_shift for p in self.layers if p.layer.transformed)) or (
            (0,) * WORDS,
        )

    @property
    def shift_bits(self) -> int:
        """Width of a shift on its way to the drain."""
        return max(MAX_DRAIN_SHIFT, int(self.channel_shift.max())).bit_length()

    @property
    def weight_bits(self) -> int:
        """Width of each part of a weight in the array: that of the widest layer."""
        return max(plan.weight_bits for plan in self.layers)

    @property
    def packed(self) -> PackedProducts | None:
        """What rows of two DSP slices are made for; None for rows of three."""
        if self.config.products != "packed":
            return None
        return PackedProducts(self.weight_bits, self.spectrum_bits, self.longest)

    @property
    def accumulator_bits(self) -> int:
        """Width of the widest sum: of k1, k2 and k3, or of the real part of packed products."""
        if packed := self.packed:
            return packed.re_bits
        return accumulator_bits(self.longest.most, self.weight_bits, self.spectrum_bits)

    @property
    def step_format(self) -> StepFormat:
        """A step in bits."""
        tables = (plan.steps for plan in self.layers)
        return step_format(self.config.rows, self.weight_bits, self.groups, tables)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The network's layer of every instruction of the layer program."""
        return tuple(plan.number for plan in self.layers)

    @property
    def signed_channels(self) -> tuple[range, ...]:
        """Of every instruction of the layer program: which of the channels that it reads are signed, as those
        of a layer without ReLU are, or of a leaky one."""
        return tuple(signed_channels(self.network, plan.number) for plan in self.layers)

    @cached_property
    def stream(self) -> StreamPlan:
        """Where the steps lie in external memory (``config.stream_weights``)."""
        replayed = [plan.blocks_per_transform if plan.weights_stay else 0 for plan in self.layers]
        replayed = [max(n, int(p.repeated)) for n, p in zip(replayed, self.layers, strict=True)]
        config = self.config
        tables = [plan.steps for plan in self.layers]
        return plan_stream(
            self.step_format,
            tables,
            [plan.weight_bits for plan in self.layers],
            replayed,
            config.bus_bits,
            config.weight_steps,
            self.numbers,
        )

    @property
    def step_tables(self) -> list[StepTable]:
        """The steps of every layer of the network."""
        return list({plan.number: plan.steps for plan in self.layers}.values())

    @property
    def steps(self) -> int:
        """Steps in the weight memory."""
        return sum(map(len, self.step_tables))

    @property
    def stored_bits(self) -> int:
        """Bits of all steps: in external memory every layer in its own width, in the design in that of the
        widest."""
        stored = {plan.number: (len(plan.steps), plan.weight_bits) for plan in self.layers}.values()
        step, streams = self.step_format, self.config.stream_weights
        return sum(steps * (step.bits_of(width) if streams else step.bits) for steps, width in stored)

    @property
    def run_ahead(self) -> bool:
        """Whether rows run ahead, or banks have addresses of their own, in any layer."""
        return self.step_format.run_ahead


def signed_channels(network: Network, number: int) -> range:
    """Which of the channels that layer ``number`` reads are signed. Raises ``UnsupportedNetwork`` where
    others lie between them."""
    signed, channel = [], 0
    for source in network.sources[number]:
        count = network.maps[source][0]
        if network.signed(source):
            signed += [channel, channel + count]
        channel += count
    if signed[1:-1:2] != signed[2::2]:
        raise UnsupportedNetwork(
            f"layer {network.layers[number].name!r}: of the maps that it reads those without ReLU, or with a "
            "leaky one, have to follow one another: change the order of its sources"
        )
    found = range(signed[0], signed[-1]) if signed else range(0)
    layer, shape = network.layers[number], network.inputs[number]
    if layer.seen(shape) != shape and len(found) not in (0, channel):
        raise UnsupportedNetwork(
            f"layer {layer.name!r} reads maps of more than {TILE}×{TILE} pixels with and without sign: "
            "give all of them a ReLU, or none"
        )
    return found


def accumulator_bits(products: int, weight_bits: int, spectrum_bits: int) -> int:
    """Width of k1, k2 and k3 of so many products: of two parts of X added up, and of two of a weight."""
    return (spectrum_bits + 1) + (weight_bits + 1) + (products - 1).bit_length()
