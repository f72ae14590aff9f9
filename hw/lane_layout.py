"""How the lanes lie over the tile grid: R rows of Q lanes, layer by layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hw.config import AcceleratorConfig
from hw.errors import ConfigError
from hw.network import Conv, Network, Shape
from hw.words import TILE


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


def line_pixels(network: Network, config: AcceleratorConfig) -> int:
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


def lane_layouts(network: Network, config: AcceleratorConfig) -> list[LaneLayout]:
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
