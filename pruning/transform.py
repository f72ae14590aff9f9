"""The 8×8 tile transforms as constant real matrices, and the tile grid.

A tile is a vector of 64 pixels (row-major) or of 64 spectrum parts (word-major, part last: the
natural layout of :mod:`hw.words` flattened). Written as matrices the transforms and their gradients
are plain products of real matrices, on every device and in every float type.
"""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F

from hw.words import DUAL_REAL, TILE, WORDS, pack, unpack

PIXELS = TILE * TILE


@cache
def forward_matrix() -> torch.Tensor:
    """(64 parts, 64 pixels) float64: ``parts = forward_matrix() @ pixels`` is the packed FFT2."""
    tiles = np.eye(PIXELS).reshape(PIXELS, TILE, TILE)
    return torch.from_numpy(pack(np.fft.fft2(tiles)).reshape(PIXELS, PIXELS).T.copy())


@cache
def inverse_matrix(stride: int) -> torch.Tensor:
    """(stride², 64 parts) float64: packed spectrum to the ``stride``×``stride`` valid pixels."""
    parts = np.eye(PIXELS).reshape(PIXELS, WORDS, 2)
    tiles = np.fft.ifft2(unpack(parts)).real[:, :stride, :stride]
    return torch.from_numpy(tiles.reshape(PIXELS, stride * stride).T.copy())


@cache
def product_structure() -> torch.Tensor:
    """(32, 2, 2, 2) float64: how the parts of a weight word fill the real 2×2 matrix of its product.

    ``matrix[b] = structure[b] @ (re, im)`` maps the parts of X to those of W·X: a rotation
    ((re, -im), (im, re)) for complex words, the diagonal (re, im) for dual-real ones.
    """
    t = torch.zeros(WORDS, 2, 2, 2, dtype=torch.float64)
    t[:, 0, 0, 0] = t[:, 1, 1, 0] = t[:, 1, 0, 1] = 1
    t[:, 0, 1, 1] = -1
    dual = list(DUAL_REAL)
    t[dual] = 0
    t[dual, 0, 0, 0] = t[dual, 1, 1, 1] = 1
    return t


def kernel_spectrum(kernel: torch.Tensor) -> torch.Tensor:
    """Weight words that make the tile operator a correlation with ``kernel``.

    Parameters: ``kernel`` (out, in, k, k) real, k ≤ 8. Returns (out, in, 32, 2): conj(FFT2(kernel)).
    """
    out, cin, k, _ = kernel.shape
    pixels = F.pad(kernel, (0, TILE - k, 0, TILE - k)).reshape(out, cin, PIXELS)
    words = (pixels @ forward_matrix().T.to(kernel)).reshape(out, cin, WORDS, 2)
    sign = torch.ones(WORDS, 2, dtype=words.dtype, device=words.device)
    sign[:, 1] = -1
    sign[list(DUAL_REAL)] = 1  # the imaginary part is a real bin of its own
    return words * sign


def cut_tiles(x: torch.Tensor, padding: int, stride: int, grid: tuple[int, int]) -> torch.Tensor:
    """Overlapping 8×8 windows, one every ``stride`` pixels of the zero-padded map.

    Parameters: ``x`` (B, C, H, W); ``grid`` tile rows and columns. Returns (64, C·B·rows·columns),
    pixels first, so that a transform is one matrix product from the left.
    """
    b, c, h, w = x.shape
    bottom, right = ((n - 1) * stride + TILE - padding - size for n, size in zip(grid, (h, w), strict=True))
    x = F.pad(x, (padding, right, padding, bottom))  # negative: rows no tile reads are cropped
    tiles = F.unfold(x, TILE, stride=stride)  # (B, C·64, rows·columns)
    return tiles.view(b, c, PIXELS, -1).permute(2, 1, 0, 3).reshape(PIXELS, -1)


def join_tiles(pixels: torch.Tensor, channels: int, stride: int, grid: tuple[int, int]) -> torch.Tensor:
    """Side by side: (stride², channels·B·rows·columns) to (B, channels, rows·stride, columns·stride)."""
    rows, columns = grid
    y = pixels.view(stride, stride, channels, -1, rows, columns)
    return y.permute(3, 2, 4, 0, 5, 1).reshape(-1, channels, rows * stride, columns * stride)
