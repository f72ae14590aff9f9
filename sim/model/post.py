"""Behind the inverse transform: rounding to pixels, ReLU, stride and 2×2 maximum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import POST_SHIFT, activation_format, round_shift
from hw.contract.network import Conv


def requantise(outputs: NDArray[np.signedinteger], relu: bool) -> NDArray[Any]:
    """Outputs of the inverse transform to pixels: uint8 with ReLU (which is the clip at 0), else int8."""
    pixels = activation_format(relu).saturate(round_shift(outputs, POST_SHIFT))
    return np.asarray(pixels.astype(np.uint8 if relu else np.int8))


def reduce(pixels: NDArray[Any], layer: Conv) -> NDArray[Any]:
    """What a layer keeps of a tile's pixels, over the first two axes, which are even where it does not keep
    all: every second row and column (stride 2), or the maximum of 2×2 (pooling)."""
    if layer.stride == 2:
        return pixels[::2, ::2]
    if layer.pool == 1:
        return pixels
    pairs = np.maximum(pixels[0::2], pixels[1::2])
    return np.asarray(np.maximum(pairs[:, 0::2], pairs[:, 1::2]))
