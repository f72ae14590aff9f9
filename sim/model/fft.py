"""Forward transform: 8×8 pixels to 32 spectrum words (``docs/numbers.md``, *Forward transform*)."""

import numpy as np
from numpy.typing import NDArray

from hw.contract import narrow
from hw.contract.formats import COLUMN_SHIFT, ROW_FRACTION, SPECTRUM, Format, times_sqrt_half
from hw.contract.spectrum import WORDS

Planes = NDArray[np.signedinteger]
"""int32 (enough for every legal input) or int64; the dtype of the input is kept throughout."""

UNPACKED = ((1, (0, 1, 3), 3), (4, (1, 0, 3), 7), (5, (1, 1, 2), 6))
"""The packed column's pairs: word of F(u,0); position of Z[u] and Z[8-u] as (half, i, i'); word of F(u,4)."""

ROUNDING = np.full(WORDS, COLUMN_SHIFT)
"""(32,) by how many bits a word is rounded: one more where it is the sum of two outputs."""
ROUNDING[[word for pair in UNPACKED for word in (pair[0], pair[2])]] += 1


def forward(
    pixels: NDArray[np.integer], bits: int = SPECTRUM.bits, word_shift: NDArray[np.uint8] | None = None
) -> Planes:
    """Spectrum words of tiles, as the forward FFT block computes them.

    Parameters: ``pixels`` (..., 8, 8) integers, -128..255; ``bits`` of narrow spectra, ``word_shift`` (32,)
    by how much each of their words is cut.
    Returns (..., 32, 2), 16 bit: ``2·pack(fft2(pixels))``, rounded; of narrow spectra divided by
    2**``word_shift``, rounded once, and saturated. int32, or int64 for int64 pixels.
    """
    planes = np.moveaxis(pixels, (-2, -1), (0, 1)).astype(np.result_type(pixels, np.int32), copy=False)
    return np.moveaxis(words(planes, bits, word_shift), (0, 1), (-2, -1))


def words(pixels: Planes, bits: int = SPECTRUM.bits, word_shift: NDArray[np.uint8] | None = None) -> Planes:
    """:func:`forward` on planes: pixels (8 y, 8 x, ...) to words (32, 2, ...)."""
    out = exact_words(pixels)
    cut = narrow.no_shift() if word_shift is None else word_shift
    by = (ROUNDING + cut).reshape(WORDS, *(1,) * (out.ndim - 1)).astype(out.dtype)
    out += 1 << (by - 1)
    out >>= by
    if bits < SPECTRUM.bits:
        np.clip(out, *Format(bits).limits, out=out)
    return out


def exact_words(pixels: Planes) -> Planes:
    """Words before they are rounded, in units of 2**-:data:`ROUNDING` of X."""
    columns = rows(pixels)
    out = np.empty((WORDS, 2, *pixels.shape[2:]), dtype=pixels.dtype)
    unpack_column(column(columns[0]), out)
    for v in (1, 2, 3):
        out[8 * v : 8 * v + 8] = column(columns[v]).reshape(8, *out.shape[1:])
    return out


def rows(pixels: Planes) -> Planes:
    """Transform the 8 rows: pixels (8 y, 8 x, ...) to columns (4 v, 8 y, 2, ...), 16 bit.

    Columns 1 to 3 are complex. Columns 0 and 4 are real and share entry 0: X0 + j X4.
    """
    p = pixels.swapaxes(0, 1) << ROW_FRACTION  # (x, y, ...)
    s, d = p[:4] + p[4:], p[:4] - p[4:]
    even, odd = s[0] + s[2], s[1] + s[3]
    e, f = times_sqrt_half(d[1] - d[3]), times_sqrt_half(d[1] + d[3])
    out = np.empty((4, 8, 2, *pixels.shape[2:]), dtype=pixels.dtype)
    out[0, :, 0], out[0, :, 1] = even + odd, even - odd
    out[1, :, 0], out[1, :, 1] = d[0] + e, -d[2] - f
    out[2, :, 0], out[2, :, 1] = s[0] - s[2], s[3] - s[1]
    out[3, :, 0], out[3, :, 1] = d[0] - e, d[2] - f
    return out


def column(z: Planes) -> Planes:
    """Transform one complex column (8 y, 2, ...) by decimation in frequency, without rounding at the end.

    Returns (2, 4, 2, ...): the even frequencies 0, 2, 4, 6, then the odd ones 1, 3, 5, 7.
    """
    out = np.empty((2, 4, *z.shape[1:]), dtype=z.dtype)
    out[0] = four_point(z[:4] + z[4:], -1)
    a = z[:4] - z[4:]
    x, y = a[1:, 0], a[1:, 1]
    twiddled = np.empty_like(a)
    twiddled[0] = a[0]
    twiddled[1, 0], twiddled[1, 1] = times_sqrt_half(x[0] + y[0]), times_sqrt_half(y[0] - x[0])
    twiddled[2, 0], twiddled[2, 1] = y[1], -x[1]
    twiddled[3, 0], twiddled[3, 1] = times_sqrt_half(y[2] - x[2]), -times_sqrt_half(x[2] + y[2])
    out[1] = four_point(twiddled, -1)
    return out


def four_point(z: Planes, sign: int) -> Planes:
    """Exact 4-point DFT over axis 0 of (4, 2, ...), kernel exp(``sign``·2πj·ik/4), unscaled."""
    even, odd = z[0] + z[2], z[1] + z[3]
    c, d = z[0] - z[2], z[1] - z[3]  # outputs 1 and 3 are c ± sign·j·d
    out = np.empty_like(z)
    out[0], out[2] = even + odd, even - odd
    plus, minus = (1, 3) if sign > 0 else (3, 1)
    out[plus, 0], out[plus, 1] = c[0] - d[1], c[1] + d[0]
    out[minus, 0], out[minus, 1] = c[0] + d[1], c[1] - d[0]
    return out


def unpack_column(z: Planes, out: Planes) -> None:
    """Separate columns v = 0 and v = 4 of the packed column's transform ``z``; fill words 0 to 7."""
    out[0], out[2] = z[0, 0], z[0, 2]
    for word_0, (half, i, mirror), word_4 in UNPACKED:
        p, q = z[half, i], z[half, mirror]
        out[word_0, 0], out[word_0, 1] = p[0] + q[0], p[1] - q[1]
        out[word_4, 0], out[word_4, 1] = p[1] + q[1], q[0] - p[0]
