"""Two DSP slices per complex product: fields of a packed weight, and the widths that a slice has room for.

Both parts of a weight c + jd lie on the wide port of a multiplier, ``offset`` bits apart, a part of a
spectrum word a + jb on its narrow port::

    P_A += (c + 2^offset · d) · a        P_B += (-d + 2^offset · c) · b

The low fields add up to the real part, the high ones to the imaginary part. Low sums outgrow their fields; a
counter of wraps follows them. Why it is exact: ``docs/numbers.md``, *Two products in a slice*.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hw.util.errors import ConfigError

WIDE_PORTS = {"DSP48E1": 25, "DSP48E2": 27}
"""Signed bits of the wide port of a multiplier by the name of its slice (UG479: 7 series; UG579: UltraScale);
its narrow port has 18."""

SUM_BITS = 48
"""The P register of either slice."""

PRODUCTS = ("three", "packed")
"""How a row makes complex products: in three DSP slices, or in two."""

SLICES = {"three": 3, "packed": 2}
"""DSP slices of a complex product."""


class LongestSums(NamedTuple):
    """Most products of a sum: of one spectral word, and in dot mode (0 without fully connected layers)."""

    word: int
    dot: int = 0

    @property
    def most(self) -> int:
        """Of any sum."""
        return max(self)


def field_offset(weight_bits: int, spectrum_bits: int) -> int:
    """Bits between the two parts of a packed weight: the fewest with which no product of a part exceeds
    2^offset, so that a sum passes at most one multiple of it in a clock.

    >>> field_offset(8, 11)
    17
    """
    return weight_bits + spectrum_bits - 2


def port_bits(weight_bits: int, spectrum_bits: int) -> int:
    """Bits of a packed weight, sign included. Weights are symmetric: -2^(bits - 1) is none.

    >>> port_bits(8, 11), port_bits(7, 15)
    (25, 27)
    """
    return field_offset(weight_bits, spectrum_bits) + weight_bits


def slices_of(weight_bits: int, spectrum_bits: int) -> tuple[str, ...]:
    """The slices that packed weights of such parts fit, smallest first.

    >>> slices_of(8, 11), slices_of(8, 13), slices_of(8, 14)
    (('DSP48E1', 'DSP48E2'), ('DSP48E2',), ())
    """
    bits = port_bits(weight_bits, spectrum_bits)
    return tuple(name for name, port in WIDE_PORTS.items() if bits <= port)


@dataclass(frozen=True)
class PackedProducts:
    """The packed cell for weights and spectrum words of so many bits per part, and sums of such lengths.

    Raises ``ConfigError`` where no slice has room for it.
    """

    weight_bits: int
    spectrum_bits: int
    longest: LongestSums

    def __post_init__(self) -> None:
        widest, port = max(WIDE_PORTS.items(), key=lambda item: item[1])
        parts = f"weights of {self.weight_bits} bits and spectra of {self.spectrum_bits}"
        if self.port_bits > port:
            raise ConfigError(
                f"packed products of {parts} take a port of {self.port_bits} bits, more than the {port} of a "
                f"{widest}: take narrower weights or spectra, or products = three"
            )
        if self.sum_bits > SUM_BITS:
            raise ConfigError(
                f"a packed sum of {self.longest.word:,} products of {parts} takes {self.sum_bits} bits, more "
                f"than the {SUM_BITS} of a DSP slice: take narrower ones, prune harder, or products = three"
            )

    @property
    def offset(self) -> int:
        """Width of the low field."""
        return field_offset(self.weight_bits, self.spectrum_bits)

    @property
    def port_bits(self) -> int:
        """Width of a packed weight."""
        return port_bits(self.weight_bits, self.spectrum_bits)

    @property
    def slices(self) -> tuple[str, ...]:
        """Names of the slices that it fits."""
        return slices_of(self.weight_bits, self.spectrum_bits)

    @property
    def re_bits(self) -> int:
        """Width of the longest real part, of either mode."""
        return self._two_sums(self.longest.most)

    @property
    def im_bits(self) -> int:
        """Width of the longest imaginary part; dot mode has none."""
        return self._two_sums(self.longest.word)

    @property
    def sum_bits(self) -> int:
        """Width of P_A and P_B: a low field, and above it an imaginary part modulo a power of two."""
        return self.offset + self.im_bits

    @property
    def wrap_bits(self) -> int:
        """Width of the signed counter of wraps: of -2·most to 2·most - 2."""
        return self.re_bits - self.offset

    def _two_sums(self, products: int) -> int:
        """Width of the sum of 2·``products`` products of two parts, each below 2^offset."""
        return self.offset + 2 + (max(1, products) - 1).bit_length()
