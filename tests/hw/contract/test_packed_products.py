"""The packed cell in plain integers: exhaustively at small widths, at its limits for full ones."""

import itertools

import numpy as np
import pytest

from hw.contract.packed_products import (
    SUM_BITS,
    WIDE_PORTS,
    LongestSums,
    PackedProducts,
    field_offset,
    port_bits,
    slices_of,
)
from hw.util.errors import ConfigError


def weights(bits):
    """Every part of a symmetric weight."""
    return range(1 - (1 << bits - 1), 1 << bits - 1)


def parts(bits):
    """Every part of a spectrum word."""
    return range(-(1 << bits - 1), 1 << bits - 1)


def signed(value, bits):
    """The low ``bits`` of ``value`` as a signed number."""
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


class Sum:
    """One of P_A, P_B and its share of the counter, in the bits that the hardware has."""

    def __init__(self, packed):
        self.packed, self.p, self.wraps = packed, 0, 0

    def add(self, low, high, x):
        """A product of a packed weight; what the counter sees are three bits."""
        offset, before = self.packed.offset, self.p
        self.p = (self.p + (low + (high << offset)) * x) % (1 << self.packed.sum_bits)
        odd, negative = high & x & 1, (low < 0) != (x < 0)
        if ((before ^ self.p) >> offset & 1) != odd:
            self.wraps += -1 if negative else 1


def joined(packed, a, b):
    """(re, im) of two sums, as the drain makes them; the counter in as many bits as it has."""
    low, wraps = (1 << packed.offset) - 1, signed(a.wraps + b.wraps, packed.wrap_bits)
    re = (a.p & low) + (b.p & low) + (wraps << packed.offset)
    return re, signed((a.p >> packed.offset) + (b.p >> packed.offset) - wraps, packed.im_bits)


@pytest.mark.parametrize("weight_bits, spectrum_bits", [(2, 2), (2, 5), (4, 2), (4, 4)])
def test_a_step_from_every_low_field(weight_bits, spectrum_bits):
    """All operands from all states: by induction sums of any length, since more is not remembered."""
    offset = field_offset(weight_bits, spectrum_bits)
    field = 1 << offset
    u, low, high, x, top = np.meshgrid(
        np.arange(field), weights(weight_bits), (-1, 0, 1), parts(spectrum_bits), (0, 1), indexing="ij"
    )
    before = u + (top << offset)
    after = before + (low + (high << offset)) * x
    moved = ((before ^ after) >> offset & 1) != (high & x & 1)
    wraps = np.where(moved, np.where((low < 0) != (x < 0), -1, 1), 0)
    np.testing.assert_array_equal(wraps, (u + low * x) >> offset)


@pytest.mark.parametrize("weight_bits, spectrum_bits", [(2, 2)])
def test_every_pair_of_products(weight_bits, spectrum_bits):
    """All operands of sums of two, to the drain."""
    packed = PackedProducts(weight_bits, spectrum_bits, LongestSums(2))
    one = list(itertools.product(weights(weight_bits), repeat=2))
    x = list(itertools.product(parts(spectrum_bits), repeat=2))
    for (c1, d1), (a1, b1) in itertools.product(one, x):
        for (c2, d2), (a2, b2) in itertools.product(one, x):
            sums = Sum(packed), Sum(packed)
            for c, d, a, b in ((c1, d1, a1, b1), (c2, d2, a2, b2)):
                sums[0].add(c, d, a)
                sums[1].add(-d, c, b)
            assert joined(packed, *sums) == (
                c1 * a1 - d1 * b1 + c2 * a2 - d2 * b2,
                c1 * b1 + d1 * a1 + c2 * b2 + d2 * a2,
            )


WIDTHS = [(8, 11, 512), (7, 13, 300), (6, 15, 128), (8, 13, 256), (5, 16, 64)]


@pytest.mark.parametrize("weight_bits, spectrum_bits, count", WIDTHS)
def test_the_longest_sums_of_the_largest_operands(weight_bits, spectrum_bits, count):
    """Re and im reach their limits at the last product; dot sums are longer, and have no im."""
    packed = PackedProducts(weight_bits, spectrum_bits, LongestSums(count, 4 * count))
    top, low = weights(weight_bits)[-1], parts(spectrum_bits)[0]
    rng = np.random.default_rng(count)
    for c, d, a, b in itertools.product((-top, top), (-top, top), (low, -low - 1), (low, -low - 1)):
        sums = Sum(packed), Sum(packed)
        for _ in range(count):
            sums[0].add(c, d, a)
            sums[1].add(-d, c, b)
        assert joined(packed, *sums) == (count * (c * a - d * b), count * (c * b + d * a))
    re = im = 0
    sums = Sum(packed), Sum(packed)
    for _ in range(count):
        c, d = (int(v) for v in rng.choice([-top, top, 0, 1], 2))
        a, b = (int(v) for v in rng.choice([low, -low - 1, 0, -1], 2))
        sums[0].add(c, d, a)
        sums[1].add(-d, c, b)
        re, im = re + c * a - d * b, im + c * b + d * a
        assert joined(packed, *sums) == (re, im)
    for sign in (-1, 1):
        sums = Sum(packed), Sum(packed)
        for _ in range(4 * count):
            sums[0].add(sign * top, top, low)
            sums[1].add(sign * top, -top, low)
        assert joined(packed, *sums)[0] == 8 * count * sign * top * low


def test_a_bit_less_between_the_fields_is_too_little():
    """The offset is the smallest: one bit less, and a product passes two multiples of it."""
    weight_bits, spectrum_bits = 4, 4
    offset = field_offset(weight_bits, spectrum_bits) - 1
    top, low = weights(weight_bits)[-1], parts(spectrum_bits)[0]
    assert (top * low) >> offset < -1


LIMITS = {"DSP48E1": {8: 11, 7: 13, 6: 15, 5: 16}, "DSP48E2": {8: 13, 7: 15, 6: 16, 5: 16}}
"""Most bits of a spectrum word, of at most 16: the table of docs/numbers.md."""


@pytest.mark.parametrize("name", WIDE_PORTS)
def test_limits(name):
    for weight_bits, most in LIMITS[name].items():
        fits = [bits for bits in range(8, 17) if name in slices_of(weight_bits, bits)]
        assert fits == list(range(8, most + 1))


@pytest.mark.parametrize("weight_bits, spectrum_bits", [(5, 16), (6, 15), (7, 13), (8, 11), (8, 13)])
def test_every_packed_weight_fits_its_port(weight_bits, spectrum_bits):
    top, offset = weights(weight_bits)[-1], field_offset(weight_bits, spectrum_bits)
    limit = 1 << port_bits(weight_bits, spectrum_bits) - 1
    for low, high in itertools.product((-top, top), repeat=2):
        assert -limit <= low + (high << offset) < limit


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ConfigError, match="8 bits and spectra of 16 take a port of 30 bits, more than the 27"
    ):
        PackedProducts(8, 16, LongestSums(64))
    with pytest.raises(ConfigError, match=r"sum of 257 products .* takes 49 bits, more than the 48"):
        PackedProducts(8, 13, LongestSums(257))
    assert PackedProducts(8, 13, LongestSums(256, 100_000)).sum_bits == SUM_BITS
    assert (LongestSums(7, 9).most, LongestSums(7).most) == (9, 7)
