"""A layer plan: an instruction of the layer program."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from hw.compile.feature_layout import FeatureLayout
from hw.compile.lane_layout import LaneLayout
from hw.compile.step_table import StepTable
from hw.contract.network import Layer
from hw.contract.spectrum import TILE, WORDS


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

    @cached_property
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
