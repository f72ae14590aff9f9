"""Number formats and the only places where integers are rounded or clipped.

Everything the hardware computes is an integer. This module owns the rounding rules; the numpy
model, the fake-quant layers and the gateware all take their constants from here. Full account with the
derivation of every width: ``docs/numbers.md``.

Rounding is always *half up*, ``round_shift(x, s) = floor((x + 2**(s-1)) / 2**s)``: an adder and a
wire shift in hardware. (``np.round`` and ``torch.round`` are half to even: never use them here.)
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hw.util.errors import ArtifactError

Ints = TypeVar("Ints", int, NDArray[np.integer])


@dataclass(frozen=True)
class Format:
    """An integer format: ``bits`` wide, two's complement when ``signed``; a ``symmetric`` one leaves out the
    number that has no negative.

    >>> Format(8, signed=False).limits
    (0, 255)
    >>> Format(8, symmetric=True).limits
    (-127, 127)
    """

    bits: int
    signed: bool = True
    symmetric: bool = False

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest value."""
        if self.signed:
            return -(1 << (self.bits - 1)) + self.symmetric, (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1

    def saturate(self, x: NDArray[np.integer]) -> NDArray[np.integer]:
        """Clip to the format's limits (dtype kept)."""
        clipped: NDArray[np.integer] = np.clip(x, *self.limits)
        return clipped

    def holds(self, x: NDArray[np.integer] | int) -> bool:
        """Whether every value fits without clipping."""
        low, high = self.limits
        return bool(np.min(x) >= low and np.max(x) <= high)


def round_shift(x: Ints, shift: int) -> Ints:
    """Divide by 2**shift, rounding half up. ``shift`` 0 returns ``x``."""
    return (x + (1 << (shift - 1))) >> shift if shift else x


def exact_cast(x: NDArray[Any], dtype: type[np.integer], what: str) -> NDArray[Any]:
    """``x`` as ``dtype``, where that changes no value (``astype`` wraps, and makes some integer of a NaN).

    Raises ``ArtifactError`` for numbers that are not whole or that ``dtype`` does not hold; ``what`` they are
    stands in the sentence.
    """
    info = np.iinfo(dtype)
    if x.size:
        low, high = x.min().item(), x.max().item()  # a numpy float32 finds 2**31 no larger than 2**31 - 1
        if not np.isfinite([low, high]).all():
            raise ArtifactError(f"{what} holds NaN or infinity: it has no integers")
        if low < info.min or high > info.max:
            raise ArtifactError(
                f"{what} reaches from {low:.6g} to {high:.6g}, its {info.bits} bits hold {info.min} to "
                f"{info.max}: requantise it"
            )
    cast: NDArray[Any] = x.astype(dtype)
    if not np.array_equal(cast, x):
        raise ArtifactError(f"{what} holds numbers that are not whole: quantise it first")
    return cast


SQRT_HALF = 181
"""√½ ≈ 181/256 (relative error 1.1e-4): 181 = 4·(5·9) + 1 is three adders, no multiplier."""


def times_sqrt_half(x: Ints, shift: int = 8) -> Ints:
    """``round_shift(181 x, shift)``: x·√½ for shift 8, x·√2 for shift 7."""
    return round_shift(x * SQRT_HALF, shift)


# --- the schedule ------------------------------------------------------------------------------

PIXEL_BITS = 8
"""Activations: unsigned after ReLU and for images, signed otherwise."""

ROW_FRACTION = 4
"""Fraction bits carried between the row and the column transform of the forward FFT."""

COLUMN_SHIFT = 3
"""Rounding shift after the column transform (one more for unpacked words, which are sums of two)."""

SPECTRUM_FRACTION = ROW_FRACTION - COLUMN_SHIFT
"""Fraction bits of a spectrum word: X = round(2**SPECTRUM_FRACTION · FFT2(pixels))."""

SPECTRUM = Format(16)
"""Each part of a spectrum word X. An unsigned 8-bit tile reaches ±32640 (8·8·255·2). Narrow spectra keep
fewer bits of it: :mod:`hw.contract.narrow`."""

MIN_SPECTRUM_BITS = 8
"""Width of the narrowest spectra."""

PRODUCT_SUM = Format(18)
"""Each part of a word after the drain: what the inverse transform takes."""

POST_SHIFT = 7
"""Rounding shift from the inverse transform's output to a pixel."""

BIAS = Format(32)
"""Bias, in accumulator units, added to the real part of word 0."""

MAX_DRAIN_SHIFT = 31
"""Largest per-channel shift from accumulator to PRODUCT_SUM."""


def activation_format(signed: bool) -> Format:
    """Format of a layer's output pixels, with or without a sign."""
    return Format(PIXEL_BITS, signed=signed)


def leaked(x: Ints, leak: int) -> Ints:
    """A leaky ReLU in front of the rounding to pixels: below zero ``x`` / 2**``leak``, rounded down.

    The number is rounded once all the same: round_shift(leaked(x, n), s) is round_shift(x, s + n) below
    zero, for s of 1 and more. All others, and everything where ``leak`` is 0, stay.
    """
    if not leak:
        return x
    return np.where(x < 0, x >> leak, x) if isinstance(x, np.ndarray) else x >> (leak if x < 0 else 0)


def drain(acc: NDArray[np.int64], shift: NDArray[np.integer]) -> NDArray[np.int64]:
    """Accumulator (bias already added) to PRODUCT_SUM: per-channel rounding shift, then saturation.

    ``acc`` and ``shift`` broadcast against each other. A shift below zero, which narrow spectra may ask for,
    is one to the left.
    """
    s = shift.astype(np.int64)
    half = np.where(s > 0, np.int64(1) << np.maximum(s - 1, 0), 0)
    low, high = PRODUCT_SUM.limits
    shifted = ((acc << np.maximum(-s, 0)) + half) >> np.maximum(s, 0)
    words: NDArray[np.int64] = np.clip(shifted, low, high)
    return words
