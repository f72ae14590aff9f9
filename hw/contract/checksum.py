"""The checksum of streamed weights: the CRC-32 of their beats, each folded to a word.

A beat's words are XORed, word i (of 32 bits, the lowest is 0) rotated left by i: memories that were exchanged
give another word. The CRC is that of zlib over these words, lowest byte first. So it finds any bit that
flipped, weights that are not there or of another model, and beats out of order;
:class:`hw.gateware.weights.beat_checksum.BeatChecksum` makes it in a few LUTs for every word of a beat.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

WORD = 4
"""Bytes of a word."""

POLYNOMIAL = 0xEDB88320
"""The CRC-32 of Ethernet and zlib, x^31 in bit 0: bits come and go at the low end."""


def folded(beats: bytes, beat_bytes: int) -> NDArray[np.uint32]:
    """(n,) words, one of every beat. beats: whole ones of ``beat_bytes``, a multiple of 4."""
    words = np.frombuffer(beats, "<u4").reshape(-1, beat_bytes // WORD).astype(np.uint64)
    rotations = np.arange(words.shape[1], dtype=np.uint64) % 32
    rotated = words << rotations
    found: NDArray[np.uint64] = np.bitwise_xor.reduce(rotated | rotated >> np.uint64(32), axis=1)
    return found.astype("<u4")


def checksum(beats: bytes, beat_bytes: int) -> int:
    """The checksum of ``beats``, whole ones of ``beat_bytes``; 0 of none."""
    return zlib.crc32(folded(beats, beat_bytes).tobytes())


def joined(parts: Iterable[tuple[int, int]]) -> int:
    """The checksum of parts that follow each other. parts: beats and checksum of each."""
    found = 0
    for beats, part in parts:
        found = _times(found, _power(32 * beats)) ^ part
    return found


def _power(exponent: int) -> int:
    """x to the power of ``exponent``, modulo the polynomial. x^0 is bit 31."""
    result, square = 1 << 31, 1 << 30
    while exponent:
        if exponent & 1:
            result = _times(result, square)
        square, exponent = _times(square, square), exponent >> 1
    return result


def _times(a: int, b: int) -> int:
    """The product of two polynomials, modulo the polynomial."""
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = b >> 1 ^ (POLYNOMIAL if b & 1 else 0)
    return product
