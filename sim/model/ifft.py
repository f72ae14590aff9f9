"""Inverse transform: 32 words to 8×8 outputs (``docs/numbers.md``, *Inverse transform*)."""

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import times_sqrt_half
from hw.contract.spectrum import TILE
from sim.model.fft import UNPACKED, Planes, four_point


def inverse(words: NDArray[np.integer], size: int = TILE) -> Planes:
    """Outputs of tiles, as the inverse FFT block computes them, before rounding to pixels.

    Parameters: ``words`` (..., 32, 2) integers of at most 18 bit; ``size``: how many rows and columns
    to compute, 1..8 (a convolution keeps the first ``Conv.tile_stride``).
    Returns (..., size, size), 26 bit: ``64·ifft2(unpack(words))``. int32, or int64 for int64 words.
    """
    planes = np.moveaxis(words, (-2, -1), (0, 1)).astype(np.result_type(words, np.int32), copy=False)
    return np.moveaxis(tile(planes, size), (0, 1), (-2, -1))


def tile(words: Planes, size: int = TILE) -> Planes:
    """:func:`inverse` on planes: words (32, 2, ...) to outputs (size y, size x, ...)."""
    return rows(columns(words, size), size)


def columns(words: Planes, size: int = TILE) -> Planes:
    """Transform the columns: words (32, 2, ...) to (4 v, size y, 2, ...), 23 bit.

    Entry 0 is the packed column X0 + j X4, whose outputs are real parts of column 0 and of column 4.
    """
    out = np.empty((4, size, *words.shape[1:]), dtype=words.dtype)
    out[0] = column(pack_column(words), size)
    for v in (1, 2, 3):
        out[v] = column(words[8 * v : 8 * v + 8].reshape(2, 4, *words.shape[1:]), size)
    return out


def pack_column(words: Planes) -> Planes:
    """Z[u] = F(u,0) + j F(u,4) from words 0 to 7, as (2, 4, 2, ...): even u, then odd u."""
    z = np.empty((2, 4, *words.shape[1:]), dtype=words.dtype)
    z[0, 0], z[0, 2] = words[0], words[2]
    for word_0, (half, i, mirror), word_4 in UNPACKED:
        f, g = words[word_0], words[word_4]
        z[half, i, 0], z[half, i, 1] = f[0] - g[1], f[1] + g[0]
        z[half, mirror, 0], z[half, mirror, 1] = f[0] + g[1], g[0] - f[1]
    return z


def column(z: Planes, size: int = TILE) -> Planes:
    """Transform one complex column (2, 4, 2, ...) of even and odd frequencies to (size y, 2, ...)."""
    even, o = four_point(z[0], +1), four_point(z[1], +1)
    x, y = o[1:, 0], o[1:, 1]
    odd = np.empty_like(o)
    odd[0] = o[0]
    odd[1, 0], odd[1, 1] = times_sqrt_half(x[0] - y[0]), times_sqrt_half(x[0] + y[0])
    odd[2, 0], odd[2, 1] = -y[1], x[1]
    odd[3, 0], odd[3, 1] = -times_sqrt_half(x[2] + y[2]), times_sqrt_half(x[2] - y[2])
    top = (even + odd)[:size]
    return np.concatenate((top, (even - odd)[: size - 4])) if size > 4 else top


def rows(z: Planes, size: int = TILE) -> Planes:
    """Transform the rows: columns (4 v, y, 2, ...) to outputs (y, size x, ...), 26 bit."""
    (a0, a4), (r1, i1), (r2, i2), (r3, i3) = (v.swapaxes(0, 1) for v in z)
    a, b = a0 + a4, a0 - a4
    p, q = r1 - r3, i1 + i3
    a_plus, a_minus, b_plus, b_minus = a + 2 * r2, a - 2 * r2, b + 2 * i2, b - 2 * i2
    m, w = 2 * (r1 + r3), 2 * (i3 - i1)
    g, k = times_sqrt_half(p - q, 7), times_sqrt_half(p + q, 7)
    out = np.empty((z.shape[1], size, *z.shape[3:]), dtype=z.dtype)
    outputs = (
        (np.add, a_plus, m), (np.add, b_minus, g), (np.add, a_minus, w), (np.subtract, b_plus, k),
        (np.subtract, a_plus, m), (np.subtract, b_minus, g), (np.subtract, a_minus, w), (np.add, b_plus, k),
    )  # fmt: skip
    for x, (operation, left, right) in enumerate(outputs[:size]):
        operation(left, right, out=out[:, x])
    return out
