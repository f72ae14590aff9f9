"""Windows of a feature map: the tile grid of overlap-save.

Feature maps are (channel, y, x, image): the image last, so that a window row is contiguous over a batch.
"""

import numpy as np
from numpy.typing import NDArray

from hw.contract.network import Conv, Dense
from hw.contract.spectrum import TILE

Map = NDArray[np.integer]
"""Pixels (c, h, w, image), uint8 or int8."""


def pad(maps: Map, layer: Conv) -> Map:
    """Zero padding before, and after as much as the last tiles reach; cut where no tile looks.

    Returns (c, (rows-1)·S + 8, (columns-1)·S + 8, image) for a grid of rows × columns tiles, 16 in place of 8
    where every second pixel is looked at.
    """
    c, h, w, images = maps.shape
    grid = layer.tiles((c, h, w))
    window = TILE * layer.sampling
    out = np.zeros((c, *((g - 1) * layer.tile_stride + window for g in grid), images), dtype=maps.dtype)
    k = layer.tile_padding
    inside = out[:, k:, k:]
    height, width = min(h, inside.shape[1]), min(w, inside.shape[2])
    inside[:, :height, :width] = maps[:, :height, :width]
    return out


def windows(padded: Map, layer: Conv, row: int) -> NDArray[np.int32]:
    """The windows of tile row ``row``, as planes (8 y, 8 x, c, tile column, image)."""
    s = layer.tile_stride
    step, size = layer.sampling, TILE * layer.sampling
    line = padded[:, row * s : row * s + size : step]
    tiles = np.lib.stride_tricks.sliding_window_view(line, size, axis=2)[:, :, ::s, :, ::step]
    return np.ascontiguousarray(tiles.transpose(1, 4, 0, 2, 3), dtype=np.int32)


def dot_words(maps: Map, layer: Dense) -> Map:
    """Dot mode: raw pixels as words (32, 2, channel, image) of the channels that ``layer`` sees; the rest of
    a window is zero."""
    c, h, w, images = maps.shape
    channels, height, width = layer.seen((c, h, w))
    rows, parts = min(TILE, height), -(-width // TILE)
    seen = np.zeros((channels * rows, parts * TILE, images), dtype=maps.dtype)
    seen[: c * h, :w] = maps.reshape(c * h, w, images)
    window = np.zeros((TILE, TILE, parts, channels, images), dtype=maps.dtype)
    window[:rows] = seen.reshape(channels, rows, parts, TILE, images).transpose(1, 3, 2, 0, 4)
    return window.reshape(TILE * TILE // 2, 2, parts * channels, images)
