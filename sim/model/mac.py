"""Products and sums over input channels (``docs/numbers.md``, *Products and sums*).

A word's product with its weight is a real 2×2 matrix acting on (re, im), so all products of a word, over
all pairs of channels, are one real matrix product. In float64 it is exact: no partial sum reaches 2**53.
"""

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import SPECTRUM
from hw.contract.spectrum import DUAL_REAL, WORDS

EXACT = 1 << 53
"""float64 holds every integer up to here."""


def spectral_matrices(weight: NDArray[np.int16]) -> NDArray[np.float64]:
    """One matrix per word from weights (out, in, 32, 2): (32, 2·out, 2·in), parts before channels.

    Complex words get [[re, -im], [im, re]], dual-real words [[re, 0], [0, im]].
    """
    out, cin = weight.shape[:2]
    re, im = weight.transpose(3, 2, 0, 1)  # (32, out, in) each
    m = np.zeros((WORDS, 2, out, 2, cin))
    m[:, 0, :, 0], m[:, 0, :, 1] = re, -im.astype(np.int32)
    m[:, 1, :, 0], m[:, 1, :, 1] = im, re
    for b in DUAL_REAL:
        m[b, 0, :, 1], m[b, 1, :, 0], m[b, 1, :, 1] = 0, 0, im[b]
    return m.reshape(WORDS, 2 * out, 2 * cin)


def spectral_sums(matrices: NDArray[np.float64], words: NDArray[np.integer]) -> NDArray[np.float64]:
    """Accumulators of a convolution: words (32, 2, in, ...) to sums (32, 2, out, ...), exact integers."""
    _, outs, ins = matrices.shape
    assert ins * -SPECTRUM.limits[0] << 15 < EXACT
    x = words.reshape(WORDS, ins, -1).astype(np.float64)
    return (matrices @ x).reshape(WORDS, 2, outs // 2, *words.shape[3:])


def dot_matrix(weight: NDArray[np.int16]) -> NDArray[np.float64]:
    """The matrix (out, 32·2·in) of a fully connected layer from weights (out, in, 32, 2)."""
    return weight.transpose(0, 2, 3, 1).reshape(len(weight), -1).astype(np.float64)


def dot_sums(matrix: NDArray[np.float64], words: NDArray[np.integer]) -> NDArray[np.float64]:
    """Accumulators in dot mode: words (32, 2, in, image) to sums (out, image), exact integers."""
    assert matrix.shape[1] << (8 + 15) < EXACT
    return matrix @ words.reshape(matrix.shape[1], -1).astype(np.float64)


def pixel_matrix(weight: NDArray[np.int16]) -> NDArray[np.float64]:
    """The matrix (out, in) of a pointwise convolution from weights (out, in, 1, 2)."""
    return weight[:, :, 0, 0].astype(np.float64)


def pixel_sums(matrix: NDArray[np.float64], words: NDArray[np.integer]) -> NDArray[np.float64]:
    """Accumulators of a pointwise convolution: words (32, 2, in, ...) to sums (32, 2, out, ...), exact
    integers."""
    assert matrix.shape[1] << (8 + 15) < EXACT
    out, ins = matrix.shape
    x = words.reshape(2 * WORDS, ins, -1).astype(np.float64)
    return (matrix @ x).reshape(WORDS, 2, out, *words.shape[3:])
