"""Rounding and saturation, against exact rational arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.contract import formats
from hw.contract.formats import Format, drain, exact_cast, round_shift, times_sqrt_half
from hw.util.errors import ArtifactError

INT48 = st.integers(-(1 << 47), (1 << 47) - 1)


@given(INT48, st.integers(0, 31))
def test_round_shift_is_floor_of_x_plus_a_half(x, shift):
    assert round_shift(x, shift) == math.floor(Fraction(x, 1 << shift) + Fraction(1, 2))


@pytest.mark.parametrize("x, expected", [(-7, -2), (-6, -1), (-3, -1), (-2, 0), (1, 0), (2, 1), (6, 2)])
def test_halves_go_up_on_both_sides_of_zero(x, expected):
    assert round_shift(x, 2) == expected
    assert round_shift(np.array([x]), 2).tolist() == [expected]


def test_shift_zero_changes_nothing():
    x = np.array([-3, 0, 7])
    assert round_shift(x, 0) is x


@given(st.integers(-(1 << 24), 1 << 24))
@settings(deadline=None)
def test_the_constant_is_root_half_and_root_two(x):
    assert times_sqrt_half(x) == math.floor(Fraction(181 * x, 256) + Fraction(1, 2))
    assert abs(times_sqrt_half(x) - x * math.sqrt(0.5)) <= 0.5 + 1.1e-4 * abs(x)
    assert abs(times_sqrt_half(x, 7) - x * math.sqrt(2)) <= 0.5 + 2.2e-4 * abs(x)


@given(st.integers(1, 40), st.booleans(), INT48)
def test_saturation_is_the_nearest_value_in_range(bits, signed, x):
    fmt = Format(bits, signed)
    low, high = fmt.limits
    assert high - low + 1 == 1 << bits and (low < 0) == signed
    clipped = int(fmt.saturate(np.array([x]))[0])
    assert low <= clipped <= high
    assert clipped == x if fmt.holds(x) else clipped in (low, high)
    assert fmt.holds(np.array([low, high]))
    assert not fmt.holds(low - 1) and not fmt.holds(np.array([0, high + 1]))


def test_saturation_keeps_the_dtype():
    x = np.array([300, -300], np.int16)
    assert Format(8).saturate(x).dtype == np.int16


@given(st.lists(st.tuples(INT48, st.integers(0, 31)), min_size=1, max_size=8))
@settings(deadline=None)
def test_drain_rounds_and_saturates_per_channel(pairs):
    acc, shift = (np.array(column) for column in zip(*pairs, strict=True))
    low, high = formats.PRODUCT_SUM.limits
    expected = [min(max(round_shift(a, s), low), high) for a, s in pairs]
    assert drain(acc.astype(np.int64), shift.astype(np.uint8)).tolist() == expected


@given(INT48, st.integers(-8, 31))
@settings(deadline=None)
def test_drain_shifts_to_the_left_where_a_shift_is_below_zero(acc, shift):
    low, high = formats.PRODUCT_SUM.limits
    exact = math.floor(Fraction(acc) / Fraction(2) ** shift + Fraction(1, 2))
    assert drain(np.array([acc]), np.array([shift])).tolist() == [min(max(exact, low), high)]


def test_drain_broadcasts_channels_over_words():
    acc = np.full((2, 32, 2), 96, dtype=np.int64)
    out = drain(acc, np.array([5, 6], np.uint8)[:, None, None])
    assert (out[0] == 3).all() and (out[1] == 2).all()


@given(st.integers(-(2**25), 2**25 - 1), st.integers(1, 7), st.integers(1, 12))
def test_a_slope_in_front_of_a_rounding_is_one_rounding(x, leak, shift):
    once = formats.round_shift(x, shift + leak if x < 0 else shift)
    assert formats.round_shift(formats.leaked(x, leak), shift) == once
    assert formats.leaked(np.array([x]), leak)[0] == formats.leaked(x, leak)
    assert formats.leaked(x, 0) == x


def test_the_schedule_is_consistent():
    """The spectrum's scale follows from the shifts, and its format holds the largest tile."""
    assert formats.SPECTRUM_FRACTION == formats.ROW_FRACTION - formats.COLUMN_SHIFT
    assert formats.SPECTRUM.holds(64 * 255 << formats.SPECTRUM_FRACTION)
    assert Format(16).holds(8 * 255 << formats.ROW_FRACTION), "row spectrum"
    assert formats.activation_format(signed=False).limits == (0, 255)
    assert formats.activation_format(signed=True).limits == (-128, 127)


def test_the_widths_are_those_of_the_page():
    """Existing artifacts were trained through these: changing one must be deliberate (docs/numbers.md)."""
    assert (formats.SPECTRUM.bits, formats.PRODUCT_SUM.bits, formats.BIAS.bits) == (16, 18, 32)
    assert (formats.ROW_FRACTION, formats.COLUMN_SHIFT, formats.POST_SHIFT) == (4, 3, 7)
    assert (formats.SQRT_HALF, formats.PIXEL_BITS, formats.MAX_DRAIN_SHIFT) == (181, 8, 31)


@given(
    st.lists(st.integers(-(1 << 33), 1 << 33), max_size=6), st.sampled_from([np.int16, np.int32, np.uint8])
)
@settings(deadline=None)
def test_an_exact_cast_changes_no_value(values, dtype):
    info = np.iinfo(dtype)
    for wide in (np.array(values, np.int64), np.array(values, np.float64)):
        if all(info.min <= value <= info.max for value in values):
            cast = exact_cast(wide, dtype, "fc.bias")
            assert cast.dtype == dtype and cast.tolist() == values
        else:
            with pytest.raises(ArtifactError, match=rf"fc.bias reaches from .*, its {info.bits} bits hold"):
                exact_cast(wide, dtype, "fc.bias")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_cast_that_would_make_numbers_up_is_refused(dtype):
    for value in (math.nan, math.inf, -math.inf):
        with pytest.raises(ArtifactError, match="holds NaN or infinity"):
            exact_cast(np.array([1, value, 2], dtype), np.int16, "conv.weight")
    with pytest.raises(ArtifactError, match="holds numbers that are not whole: quantise it first"):
        exact_cast(np.array([1, 0.5], dtype), np.int16, "conv.weight")
    with pytest.raises(ArtifactError, match="to 2147483647"):
        exact_cast(np.array([2.0**31], dtype), np.int32, "conv.bias")  # 2**31 - 1 as a float32
