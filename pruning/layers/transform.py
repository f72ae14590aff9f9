"""The 8×8 tile transforms as constant real matrices.

A tile is a vector of 64 pixels (row-major) or of 64 spectrum parts (word-major, part last: the
natural layout of :mod:`hw.contract.spectrum` flattened). Written as matrices the transforms and their
gradients are plain products of real matrices, on every device and in every float type.
"""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from hw.contract.spectrum import DUAL_REAL, TILE, WORDS, pack, unpack

PIXELS = TILE * TILE


@cache
def forward_matrix() -> torch.Tensor:
    """(64 parts, 64 pixels) float64: ``parts = forward_matrix() @ pixels`` is the packed FFT2."""
    tiles = np.eye(PIXELS).reshape(PIXELS, TILE, TILE)
    return torch.from_numpy(pack(np.fft.fft2(tiles)).reshape(PIXELS, PIXELS).T.copy())


@cache
def inverse_matrix(side: int, step: int = 1) -> torch.Tensor:
    """(side², 64 parts) float64: packed spectrum to ``side``×``side`` pixels, ``step`` apart, from the first
    on."""
    parts = np.eye(PIXELS).reshape(PIXELS, WORDS, 2)
    tiles = np.fft.ifft2(unpack(parts)).real[:, ::step, ::step][:, :side, :side]
    return torch.from_numpy(tiles.reshape(PIXELS, side * side).T.copy())


@cache
def inverse_pair(side: int, step: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Two (side², 64) float64, for products of every part of X with the parts of W apart.

    ``pixels = a @ (X · re W) + b @ (X · im W)`` is the inverse transform of the complex product: of
    complex words ``a`` takes both parts as they are and ``b`` the real one from the imaginary product with
    the other sign; of dual-real words each part comes from one of the two.
    """
    inverse = inverse_matrix(side, step)
    real, imaginary = inverse[:, 0::2], inverse[:, 1::2]
    a, b = inverse.clone(), torch.stack([imaginary, -real], dim=-1).flatten(1)
    for word in DUAL_REAL:
        a[:, 2 * word + 1] = 0
        b[:, 2 * word], b[:, 2 * word + 1] = 0, imaginary[:, word]
    return a, b


@cache
def kernel_matrix() -> torch.Tensor:
    """(64 pixels, 64 parts) float64: from weight words to the circular kernel they correlate with.

    The inverse of :func:`kernel_spectrum`: its conjugate, then the inverse transform.
    """
    return inverse_matrix(TILE) * conjugate().flatten()


@cache
def conjugate() -> torch.Tensor:
    """(32, 2) float64: signs of a conjugation; the second part of a dual-real word is a bin of its own."""
    sign = torch.ones(WORDS, 2, dtype=torch.float64)
    sign[:, 1] = -1
    sign[list(DUAL_REAL)] = 1
    return sign


def kernel_spectrum(kernel: torch.Tensor) -> torch.Tensor:
    """Weight words that make the tile operator a correlation with ``kernel``.

    Parameters: ``kernel`` (out, in, k, k) real, k ≤ 8. Returns (out, in, 32, 2): conj(FFT2(kernel)).
    """
    out, cin, k, _ = kernel.shape
    pixels = F.pad(kernel, (0, TILE - k, 0, TILE - k)).reshape(out, cin, PIXELS)
    words = (pixels @ forward_matrix().T.to(kernel)).reshape(out, cin, WORDS, 2)
    return words * conjugate().to(words)
