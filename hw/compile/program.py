"""The layer program: everything the gateware and the cost model need to know about a network."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hw.compile.channel_table import drain_group_bits, table_image
from hw.compile.head_start import HeadStart, head_starts
from hw.compile.layer_plan import LayerPlan
from hw.compile.step_format import StepFormat, step_format
from hw.compile.step_table import StepTable
from hw.compile.weight_stream import StreamPlan, plan_stream
from hw.contract.config import AcceleratorConfig
from hw.contract.formats import MAX_DRAIN_SHIFT, SPECTRUM
from hw.contract.network import Network
from hw.contract.packed_products import LongestSums, PackedProducts
from hw.contract.spectrum import TILE, WORDS
from hw.util.errors import UnsupportedNetwork


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
    def channel_table(self) -> list[int]:
        """The channel table, an integer per entry."""
        return table_image(self.channel_bias, self.channel_shift, self.shift_bits)

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
    def head_starts(self) -> tuple[HeadStart, ...]:
        """Of every instruction: how much of what the one before makes it has to wait for."""
        return head_starts(self.network, self.layers, self.config.rows, self.config.batch)

    @cached_property
    def stream(self) -> StreamPlan:
        """Where channel table and steps lie in external memory (``config.stream_weights``)."""
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
            (len(self.channel_bias), drain_group_bits(config.drain, self.shift_bits)),
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
