"""Behind the inverse transform: rounding to pixels, ReLU, stride and pooling."""

from functools import reduce as reduce_
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import POST_SHIFT, activation_format, leaked, round_shift
from hw.contract.network import Conv, Layer, Shape


def requantise(outputs: NDArray[np.signedinteger], layer: Layer) -> NDArray[Any]:
    """Outputs of the inverse transform to pixels: uint8 with ReLU (which is the clip at 0), else int8; with a
    leaky one those below zero are made smaller in front of the rounding."""
    pixels = activation_format(layer.signed).saturate(round_shift(leaked(outputs, layer.leak), POST_SHIFT))
    return np.asarray(pixels.astype(np.int8 if layer.signed else np.uint8))


def reduce(pixels: NDArray[Any], layer: Conv) -> NDArray[Any]:
    """What a layer makes of the pixels of tiles, over the first two axes: every second row and column (stride
    2), or the maximum of every window (pooling)."""
    step = layer.reduction
    last = (layer.tile_outputs - 1) * step + 1
    taken = range(layer.window)
    rows = reduce_(np.maximum, (pixels[i : i + last : step] for i in taken))
    return np.asarray(reduce_(np.maximum, (rows[:, i : i + last : step] for i in taken)))


def hide(pixels: NDArray[Any], layer: Conv, row: int, shape: Shape) -> None:
    """In place, where pooling windows reach beyond the map of ``shape`` (c, h, w) that a layer convolves:
    give the least value to pixels (y, x, out, column, image) of tile row ``row`` that are not in the plain
    convolution's map."""
    low = activation_format(layer.signed).limits[0]
    _, height, width = shape
    y = row * layer.tile_stride - layer.pool_padding + np.arange(len(pixels))
    pixels[(y < 0) | (y >= layer.conv_size(height))] = low
    first = np.arange(pixels.shape[3]) * layer.tile_stride - layer.pool_padding
    x = first + np.arange(pixels.shape[1])[:, None]
    pixels.transpose(1, 3, 0, 2, 4)[(x < 0) | (x >= layer.conv_size(width))] = low
