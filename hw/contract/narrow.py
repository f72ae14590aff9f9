"""Narrow spectra: words X of less than 16 bits, each shifted by a number of its own (``docs/numbers.md``).

Sums are word-major, so all products of a sum are of one word: a shift that is fixed for a word of a layer
makes that word's sums smaller by a power of two, and the drain shifts by so much less. No exponent goes
anywhere. Why so, and what else there was: ``docs/decisions/0020-narrow-spectra.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hw.contract.formats import MIN_SPECTRUM_BITS, SPECTRUM, Format
from hw.contract.network import Layer, Network
from hw.contract.spectrum import WORDS
from hw.util import documents
from hw.util.errors import Spec2Error

UNSIGNED_PIXEL_BITS = 9
"""Layers without a transform hold pixels in place of words: 0 to 255 takes 9 bits with a sign."""


def most_shift(bits: int) -> int:
    """Largest shift of a word: with it the largest spectrum there is fits ``bits`` (but for a half)."""
    return SPECTRUM.bits - bits


def no_shift() -> NDArray[np.uint8]:
    """(32,) zeros: the shifts of spectra of 16 bits, and of layers without a transform."""
    return np.zeros(WORDS, np.uint8)


def least_shift(reach: NDArray[np.floating], bits: int) -> NDArray[np.uint8]:
    """(...,) the smallest shifts with which no word saturates.

    reach: (...,) the largest |part| of every word, in units of X of 16 bits, 0 or more. A word that saturates
    with any shift (white from edge to edge, by half a unit) gets the largest.
    """
    shifts = np.arange(most_shift(bits) + 1)
    limit = Format(bits).limits[1]
    fits = np.floor(reach[..., None] / 2.0**shifts + 0.5) <= limit
    smallest = np.where(fits.any(-1), fits.argmax(-1), shifts[-1])
    return np.asarray(smallest, dtype=np.uint8)


def check_spectrum_bits(bits: object, network: Network, error: type[Spec2Error]) -> None:
    """Raise ``error`` for a width that spectra of ``network`` cannot have."""
    if isinstance(bits, bool) or not isinstance(bits, int):
        raise error(f"spectrum_bits must be a whole number of bits, not {documents.shown(bits)}")
    if not MIN_SPECTRUM_BITS <= bits <= SPECTRUM.bits:
        raise error(
            f"spectrum_bits must be {MIN_SPECTRUM_BITS} to {SPECTRUM.bits}, not {documents.shown(bits)}"
        )
    if bits < UNSIGNED_PIXEL_BITS and (layer := _of_unsigned_pixels(network)) is not None:
        raise error(
            f"spectrum_bits must be {UNSIGNED_PIXEL_BITS} or more, not {bits}: the {_kind(layer)} layer "
            f"{layer.name!r} takes pixels of 0 to 255 in place of words"
        )


def _of_unsigned_pixels(network: Network) -> Layer | None:
    """The first layer without a transform that reads pixels without a sign."""
    for layer, maps in zip(network.layers, network.sources, strict=True):
        if not layer.transformed and not all(map(network.signed, maps)):
            return layer
    return None


def _kind(layer: Layer) -> str:
    return "fully connected" if layer.dot else "pointwise"


def check_shift(layer: Layer, shift: NDArray[np.integer], bits: int, error: type[Spec2Error]) -> None:
    """Raise ``error`` unless ``shift`` can be the words' shifts of ``layer``."""
    name = layer.name
    if shift.shape != (WORDS,):
        raise error(f"{name}.word_shift is {shift.shape}, a spectrum has {WORDS} words")
    if not np.issubdtype(shift.dtype, np.integer):
        raise error(f"{name}.word_shift holds {shift.dtype}, not integers: quantise it first")
    most = most_shift(bits) if layer.transformed else 0
    if shift.min() < 0 or shift.max() > most:
        where = f"spectra of {bits} bits" if layer.transformed else f"{_kind(layer)} layers"
        raise error(
            f"{name}.word_shift is {int(shift.min())}..{int(shift.max())}, {where} shift words by "
            f"{'0' if most == 0 else f'0..{most}'}: calibrate again"
        )
