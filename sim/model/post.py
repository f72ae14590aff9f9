"""Behind the inverse transform: rounding to pixels, ReLU, 2×2 maximum."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import POST_SHIFT, activation_format, round_shift


def requantise(outputs: NDArray[np.signedinteger], relu: bool) -> NDArray[Any]:
    """Outputs of the inverse transform to pixels: uint8 with ReLU (which is the clip at 0), else int8."""
    pixels = activation_format(relu).saturate(round_shift(outputs, POST_SHIFT))
    return np.asarray(pixels.astype(np.uint8 if relu else np.int8))


def pool(pixels: NDArray[Any], size: int) -> NDArray[Any]:
    """``size``×``size`` maximum over the first two axes (size 1 or 2; both axes even for 2)."""
    if size == 1:
        return pixels
    pairs = np.maximum(pixels[0::2], pixels[1::2])
    return np.asarray(np.maximum(pairs[:, 0::2], pairs[:, 1::2]))
