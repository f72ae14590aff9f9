"""From accumulators to 18-bit words: rounding shift and saturation per output channel."""

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import PRODUCT_SUM


def add_bias(sums: NDArray[np.float64], bias: NDArray[np.int32]) -> None:
    """Add the bias, in place, to the real part of word 0 of sums (32, 2, out, ...)."""
    sums[0, 0] += bias.reshape(-1, *(1,) * (sums.ndim - 3))


def drain(sums: NDArray[np.float64], shift: NDArray[np.integer]) -> NDArray[np.int32]:
    """:func:`hw.contract.formats.drain` for sums held as exact integers in float64; works in place on
    ``sums``.

    ``shift`` must broadcast against ``sums``. A power of two scales without rounding, so
    floor(sums · 2**-shift + ½) is the rounding shift itself, several times faster than in int64.
    """
    sums *= np.ldexp(1.0, -shift.astype(np.int32))
    sums += 0.5
    np.floor(sums, out=sums)
    np.clip(sums, *PRODUCT_SUM.limits, out=sums)
    return sums.astype(np.int32)
