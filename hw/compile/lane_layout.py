"""How the lanes lie over the tile grid: R rows of Q lanes, layer by layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from hw.contract.config import CLOCKS_PER_TILE, AcceleratorConfig
from hw.contract.network import Conv, Layer, Network, Shape
from hw.contract.spectrum import TILE
from hw.util.errors import ConfigError

Cost = tuple[float, float, float]
"""Clocks of a layer, tile groups, lines fetched per channel beyond a window's."""


LEAST_LINES = 8
"""Lines of a tile group at least."""

ANY_LINE = 1 << 30
"""Pixels of a line that every layout fits into."""


@dataclass(frozen=True)
class LaneLayout:
    """R lane rows of Q lanes; ``packed``: whether a line feeds all lane rows at once. R = 0: none fits.

    ``images``: maps of so many images are packed into a line; in the lane rows one's tile rows follow the
    other's. ``height``: rows of a tile of a pointwise convolution (``Conv.heights``), 0 for others.
    """

    rows: int
    columns: int
    packed: bool = False
    images: int = 1
    height: int = 0

    def row_stride(self, layer: Layer) -> int:
        """Rows from a tile of ``layer`` to the one below it."""
        return self.height or layer.tile_stride

    def words(self, layer: Layer) -> int:
        """How often a block's steps are made for a tile group: for every pair of pixels of a pointwise
        convolution's tile, once for others, whose steps name their words."""
        rows = self.height // layer.sampling or TILE
        return rows * TILE // 2 if layer.pointwise else 1

    def lines(self, layer: Conv) -> int:
        """Lines fetched per input channel of a tile group; of few channels so many that the fetch controller
        finds the next group meanwhile."""
        if self.height:
            rows = self.height if self.packed else self.rows * self.height // layer.sampling
            return max(2, rows, -(-LEAST_LINES // layer.in_channels))
        return TILE if self.packed else (self.rows - 1) * layer.tile_stride + TILE

    def skew(self, stride: int, made: int) -> int:
        """Clocks in which a lane row writes, of tiles ``stride`` apart in maps that give ``made`` rows before
        pooling."""
        return min(stride, made) if self.rows == self.images > 1 else stride

    def token_interval(self, stride: int, made: int) -> int:
        """Clocks between the inverse transforms of two output channels: lane rows write one after another."""
        return max(CLOCKS_PER_TILE, self.rows * self.skew(stride, made))


@dataclass(frozen=True)
class Ranked:
    """A layout, and the clocks that a layer takes in it, bound by its slowest stage."""

    layout: LaneLayout
    clocks: int


@dataclass(frozen=True)
class GroupWork:
    """What a tile group takes in any layout. array: clocks of the array for all blocks of outputs, of a
    pointwise convolution for one pair of pixels. fetches:
    how often its input is fetched where there are others, once or for every set of blocks. images: of a full
    batch."""

    array: int
    fetches: int
    images: int = 1


def lane_layout(layer: Conv, shape: Shape, lanes: int, line: int, work: GroupWork) -> LaneLayout:
    """The layout that needs fewest clocks, for one line of ``line`` pixels; of those the one with fewest
    tile groups, then fewest lines fetched per channel."""
    return best_layout(layer, shape, lanes, line, work)[1]


def ranked(
    layer: Conv, shape: Shape, lanes: int, line: int, work: GroupWork, packs: bool = True
) -> list[Ranked]:
    """Every layout, the best one first. ``packs``: rows of the map may be packed."""
    every = (pair for count in range(1, lanes + 1) for pair in _of(layer, shape, count, line, work, packs))
    return [Ranked(layout, int(cost[0])) for cost, layout in sorted(every, key=_order)]


@cache
def best_layout(
    layer: Conv, shape: Shape, lanes: int, line: int, work: GroupWork, packs: bool = True
) -> tuple[Cost, LaneLayout]:
    """The best layout, with what it costs an image; one of no rows where none fits. ``packs``: rows of the
    map may be packed.

    Who tries designs asks for one number of lanes after the other: what fewer can do is known then.
    """
    none: tuple[Cost, LaneLayout] = (np.inf, np.inf, np.inf), LaneLayout(0, 0)
    fewer = best_layout(layer, shape, lanes - 1, line, work, packs) if lanes > 1 else none
    return min(fewer, *_of(layer, shape, lanes, line, work, packs), none, key=_order)


def _order(pair: tuple[Cost, LaneLayout]) -> tuple[Cost, int, int, int]:
    """By cost; of equal ones that of fewest columns, then of fewest images, then of fewest rows."""
    cost, layout = pair
    return cost, layout.columns, layout.images, layout.rows


def _of(
    layer: Conv, shape: Shape, lanes: int, line: int, work: GroupWork, packs: bool = True
) -> Iterator[tuple[Cost, LaneLayout]]:
    """Every layout that uses exactly ``lanes``, with its cost."""
    rows, columns = layer.tiles(shape)
    packs = packs and layer.sampling == 1
    for q in range(1, min(lanes, columns) + 1):
        if (q - 1) * layer.tile_stride + TILE * layer.sampling > line:
            break
        r, rest = divmod(lanes, q)
        if rest:
            continue
        for height in layer.heights:
            if r <= layer.tiles(shape, height)[0]:
                packed = packs and _packed_rows_fit(layer, shape, r, q, line)
                layout = LaneLayout(r, q, packed, height=height)
                yield layout_cost(layer, shape, layout, work), layout
        images, rest = divmod(r, rows)
        if rest or not 2 <= images <= work.images or not packs or layer.pointwise:
            continue
        if _packed_rows_fit(layer, shape, r, q, line) and _images_fit(layer, shape):
            layout = LaneLayout(r, q, True, images)
            yield layout_cost(layer, shape, layout, work), layout


def packed_rows_fit(layer: Layer, shape: Shape, layout: LaneLayout, line: int) -> bool:
    """Whether ``layer`` can have a packed ``layout``, whose height is one that its tiles may have."""
    if layer.dot or layer.sampling > 1 or layout.height not in layer.heights:
        return False
    taken = layout.rows <= layer.tiles(shape, layout.height)[0]
    return taken and _packed_rows_fit(layer, shape, layout.rows, layout.columns, line)


def _packed_rows_fit(layer: Conv, shape: Shape, r: int, q: int, line: int) -> bool:
    """Whether r rows of the whole map fit into a line, with pixels that no window reaches, and a window into
    two tile rows."""
    wide = max((q - 1) * layer.tile_stride + TILE, layer.tile_padding + shape[2])
    reaches = layer.pointwise or TILE <= 2 * layer.tile_stride
    return r > 1 and q == layer.tiles(shape)[1] and wide <= line // r and reaches


def _images_fit(layer: Conv, shape: Shape) -> bool:
    """Whether no row of a map lies below the slots of its own tile rows."""
    return shape[1] + layer.tile_padding <= layer.tiles(shape)[0] * layer.tile_stride


def layout_cost(layer: Conv, shape: Shape, layout: LaneLayout, work: GroupWork) -> Cost:
    """Of an image. Fetch, array and output work at the same time: the slowest one counts."""
    rows, columns = layer.tiles(shape, layout.height)
    groups = -(-rows // layout.rows) * -(-columns // layout.columns) * -(-work.images // layout.images)
    lines = layout.lines(layer)
    fetch = layer.in_channels * lines * (work.fetches if groups > 1 else 1)
    made = layer.output(shape)[1] * layer.reduction
    output = layer.out_channels * layout.token_interval(layout.row_stride(layer) // layer.sampling, made)
    array, each = work.array * layout.words(layer), groups / work.images
    clocks = each * max(fetch, array, output)
    if layer.pointwise:  # tiles of any height: many groups of few rows leave less to wait for at the ends
        once = layer.in_channels * lines
        sets = work.fetches if groups > 1 else 1
        clocks += (once + max(array, output) / sets - max(fetch, array, output) / sets) / work.images
    return clocks, each, lines - TILE


def line_pixels(network: Network, config: AcceleratorConfig, work: Sequence[GroupWork]) -> int:
    """Smallest power of two that lets every convolution have its best layout, and holds a beat."""
    line = max(TILE, config.stream_pixels)
    for layer, shape, batch_work in zip(network.layers, network.inputs, work, strict=True):
        if not layer.dot:
            image_work = replace(batch_work, images=1)  # packed images take what pixels there are
            best = best_layout(layer, shape, config.lanes, ANY_LINE, image_work)[0]
            # Where weights stay, every set of blocks fetches anew: then lines count as well.
            target = best if config.stream_weights else (*best[:2], np.inf)
            while best_layout(layer, shape, config.lanes, line, image_work)[0] > target:
                line *= 2
    return line


def lane_layouts(
    network: Network, config: AcceleratorConfig, work: Sequence[GroupWork], plain: Collection[int] = ()
) -> list[LaneLayout]:
    """The lane layout of every layer; of fully connected ones, a lane per image. The maps of the layers
    ``plain`` are not packed."""
    line, found = config.line_pixels, []
    for i, (layer, shape, group) in enumerate(zip(network.layers, network.inputs, work, strict=True)):
        if layer.dot:
            found.append(LaneLayout(config.batch, 1))
            continue
        layout = best_layout(layer, shape, config.lanes, line, group, i not in plain)[1]
        if not layout.rows:
            pixels = TILE * layer.sampling
            raise ConfigError(
                f"line_pixels {line} is less than a tile's {pixels} in layer {layer.name!r}: raise it to "
                f"{pixels}"
            )
        found.append(layout)
    return found
