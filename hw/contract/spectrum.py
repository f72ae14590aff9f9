"""The packed half spectrum: 32 complex words that hold all of a real 8×8 tile's FFT.

The 2-D spectrum of a real tile is Hermitian, F(u, v) = conj F(-u, -v), so 32 complex words carry
its 64 real degrees of freedom. ``u`` is the vertical (row) frequency, ``v`` the horizontal one.

Word ``b = 4 t + i`` appears on wire ``i`` of the FFT in clock ``t`` of a tile (0..7):

====== ================== ========= ================== =========
t      i = 0              i = 1     i = 2              i = 3
====== ================== ========= ================== =========
0      (0,0) and (0,4)    (2,0)     (4,0) and (4,4)    (2,4)
1      (1,0)              (3,0)     (3,4)              (1,4)
2v     (0,v)              (2,v)     (4,v)              (6,v)
2v+1   (1,v)              (3,v)     (5,v)              (7,v)
====== ================== ========= ================== =========

for v = 1, 2, 3. Words 0 and 2 are *dual-real*: two real bins, one in the real part, one in the
imaginary part; their product with a weight is taken part by part. All other words are complex.
The order is that of a decimation-in-frequency column transform which emits the even half of its
outputs in one clock and the odd half in the next (see :mod:`hw.gateware.datapath.fft`).

In *dot mode* (fully connected layers) the same 32 words hold raw pixels instead: word
``b = 4 y + x // 2`` has pixel (y, x) of the 8×8 window in its real (x even) or imaginary part.
"""

import numpy as np
from numpy.typing import NDArray

TILE = 8
"""Side of a tile (and of its transform) in pixels."""

WORDS = 32
"""Complex words per tile."""

DUAL_REAL = (0, 2)
"""Words that hold two real bins."""


def _bin_table() -> list[tuple[tuple[int, int], tuple[int, int] | None]]:
    table: list[tuple[tuple[int, int], tuple[int, int] | None]] = [
        ((0, 0), (0, 4)), ((2, 0), None), ((4, 0), (4, 4)), ((2, 4), None),
        ((1, 0), None), ((3, 0), None), ((3, 4), None), ((1, 4), None),
    ]  # fmt: skip
    for v in (1, 2, 3):
        table += [((u, v), None) for u in (0, 2, 4, 6, 1, 3, 5, 7)]
    return table


BINS = _bin_table()
"""Per word: its bin (u, v), and for a dual-real word the bin in its imaginary part, else None."""

MULTIPLICITY = np.array([1 if b in DUAL_REAL else 2 for b in range(WORDS)])
"""How often a word's energy |re|² + |im|² counts in the full spectrum (Parseval)."""


def pack(spectrum: NDArray[np.complexfloating]) -> NDArray[np.floating]:
    """Pack Hermitian 8×8 spectra into words.

    Parameters: ``spectrum`` (..., 8, 8) complex, as from ``np.fft.fft2`` of real tiles.
    Returns (..., 32, 2) real: the real and imaginary part of every word.
    """
    out = np.empty((*spectrum.shape[:-2], WORDS, 2), dtype=spectrum.real.dtype)
    for b, ((u, v), other) in enumerate(BINS):
        out[..., b, 0] = spectrum[..., u, v].real
        out[..., b, 1] = spectrum[..., u, v].imag if other is None else spectrum[(..., *other)].real
    return out


def unpack(words: NDArray[np.floating]) -> NDArray[np.complexfloating]:
    """The inverse of :func:`pack`: (..., 32, 2) real to (..., 8, 8) complex, Hermitian."""
    out = np.zeros((*words.shape[:-2], TILE, TILE), dtype=np.result_type(words, np.complex64))
    for b, ((u, v), other) in enumerate(BINS):
        if other is None:
            value = words[..., b, 0] + 1j * words[..., b, 1]
            out[..., u, v] = value
            out[..., -u % TILE, -v % TILE] = value.conj()
        else:
            out[..., u, v] = words[..., b, 0]
            out[(..., *other)] = words[..., b, 1]
    return out
