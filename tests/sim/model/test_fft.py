"""The forward and inverse transforms: against np.fft, against the widths of docs/numbers.md, and among
themselves. The linear maps of the integer code are read off with impulses of 2**30 in int64, where
rounding is negligible; their row sums then give the true worst case, which random data never finds.
"""

import numpy as np
import pytest

from hw.contract.formats import PRODUCT_SUM, SPECTRUM, Format
from hw.contract.spectrum import TILE, WORDS, pack, unpack
from sim import reference
from sim.model import fft, forward, ifft, inverse

SEED = 1
UNIT = 1 << 30
UNSIGNED, SIGNED = (0, 255), (-128, 127)

LARGEST_X_ERROR = 2.3
"""Distance of an integer spectrum word from 2·FFT2, in its LSB, over every tile there is."""


def special_tiles(low: int, high: int) -> np.ndarray:
    """Flat, impulse, stripe and checkerboard tiles, at every period and both polarities."""
    y, x = np.mgrid[:TILE, :TILE]
    patterns = [np.ones((TILE, TILE), bool)]
    for period in (1, 2, 4):
        patterns += [y // period % 2 == 0, x // period % 2 == 0, (x // period + y // period) % 2 == 0]
    patterns += [(y == a) & (x == b) for a in range(TILE) for b in range(TILE)]
    on = np.stack(patterns + [~p for p in patterns])
    return np.where(on, high, low)


def tiles(low: int, high: int) -> np.ndarray:
    random = np.random.default_rng(SEED).integers(low, high + 1, (4000, TILE, TILE))
    corners = np.random.default_rng(SEED).choice([low, high], (2000, TILE, TILE))
    return np.concatenate((special_tiles(low, high), random, corners))


def forward_map() -> np.ndarray:
    """(32·2, 64): the spectrum as a linear map of the pixels, with √½ = 181/256."""
    return (forward(UNIT * np.eye(64, dtype=np.int64).reshape(64, 8, 8)) / UNIT).reshape(64, 64).T


def inverse_map() -> np.ndarray:
    """(64, 32·2): the outputs as a linear map of the words, with the same constant."""
    return (inverse(UNIT * np.eye(64, dtype=np.int64).reshape(64, WORDS, 2)) / UNIT).reshape(64, 64).T


def reach(linear: np.ndarray, low: int, high: int) -> float:
    """Largest magnitude of any output of a linear map over all inputs in low..high."""
    up = np.clip(linear, 0, None).sum(axis=1)
    down = np.clip(-linear, 0, None).sum(axis=1)
    return float(max((high * up - low * down).max(), (high * down - low * up).max()))


def test_a_constant_tile_has_only_its_mean():
    words = forward(np.full((8, 8), 255))
    assert words[0, 0] == 2 * 64 * 255
    assert np.count_nonzero(words) == 1


def test_an_impulse_in_the_corner_is_flat():
    pixels = np.zeros((8, 8), int)
    pixels[0, 0] = 100
    words = forward(pixels)
    dual = [0, 2]
    assert (words[:, 0] == 200).all()
    assert (words[dual, 1] == 200).all() and (np.delete(words[:, 1], dual) == 0).all()


@pytest.mark.parametrize("limits", [UNSIGNED, SIGNED])
def test_forward_is_twice_the_fft_within_the_bound(limits):
    pixels = tiles(*limits)
    error = np.abs(forward(pixels) - 2 * pack(np.fft.fft2(pixels)))
    assert error.max() <= LARGEST_X_ERROR
    assert (error**2).mean() < 0.3**2, "more noise than rounding to integers (0.29) explains"


def test_forward_error_bound_holds_for_every_tile():
    """Constant: the map with 181/256 against the exact one. Rounding: half a unit where each rounding
    happens, carried to the outputs. (Rows: entries of columns 1..3; columns: three h() per part.)"""
    exact = 2 * pack(np.fft.fft2(np.eye(64).reshape(64, 8, 8))).reshape(64, 64).T
    constant = max(reach(forward_map() - exact, *limits) for limits in (UNSIGNED, SIGNED))
    # An even output adds 8 row roundings of ½; an odd one 4 of them, through h() 4 pairs times √½, and
    # two h() roundings; everything is then divided by 8 and rounded once more.
    even = 8 * 0.5
    odd = 4 * 0.5 + 4 * 2 * 0.5 * np.sqrt(0.5) + 2 * 0.5
    assert constant + max(even, odd) / 8 + 0.5 <= LARGEST_X_ERROR


@pytest.mark.parametrize("bits", [8, 11, 14])
def test_narrow_words_are_cut_in_one_rounding(bits):
    """Half a unit of what is left, and the words' error without their own rounding: never two roundings."""
    pixels = tiles(*UNSIGNED)
    shift = np.random.default_rng(bits).integers(0, 16 - bits, WORDS, endpoint=True).astype(np.uint8)
    low, high = Format(bits).limits
    exact = 2 * pack(np.fft.fft2(pixels)) / 2.0 ** shift[:, None]
    error = np.abs(forward(pixels, bits, shift) - np.clip(exact, low, high))
    assert (error <= 0.5 + (LARGEST_X_ERROR - 0.5) / 2.0 ** shift[:, None]).all()
    words = forward(pixels, bits, shift)
    assert words.min() == low and words.max() == high
    unrounded = np.moveaxis(fft.exact_words(np.moveaxis(pixels, (1, 2), (0, 1))), (0, 1), (-2, -1))
    once = np.floor(unrounded / 2.0 ** (fft.ROUNDING + shift)[:, None] + 0.5).clip(low, high)
    twice = np.floor(forward(pixels) / 2.0 ** shift[:, None] + 0.5).clip(low, high)
    np.testing.assert_array_equal(words, once)
    assert (words != twice).mean() > 0.001


def test_narrow_spectra_of_16_bits_are_spectra():
    pixels = tiles(*SIGNED)[:50]
    np.testing.assert_array_equal(forward(pixels, 16, np.zeros(WORDS, np.uint8)), forward(pixels))


def test_forward_error_is_attained_where_the_constant_hurts():
    """The bound is not idle: tiles with the sign pattern of the constant's error reach a whole LSB."""
    exact = 2 * pack(np.fft.fft2(np.eye(64).reshape(64, 8, 8))).reshape(64, 64).T
    pixels = np.where(forward_map() - exact > 0, 127, -128).reshape(64, 8, 8)
    error = np.abs(forward(pixels) - 2 * pack(np.fft.fft2(pixels)))
    assert 0.9 < error.max() <= LARGEST_X_ERROR


@pytest.mark.parametrize("limits", [UNSIGNED, SIGNED])
def test_no_tile_leaves_the_forward_widths(limits):
    impulses = UNIT * np.eye(64, dtype=np.int64).reshape(8, 8, 64)
    row_map = fft.rows(impulses).reshape(-1, 64) / UNIT
    assert reach(row_map, *limits) + 0.5 <= Format(16).limits[1]
    assert reach(forward_map(), *limits) + LARGEST_X_ERROR <= SPECTRUM.limits[1]


@pytest.mark.parametrize("limits", [UNSIGNED, SIGNED])
def test_worst_tile_of_every_word_in_int32_equals_int64(limits):
    """The sign pattern of each word's own map drives every adder in the model as far as it goes."""
    low, high = limits
    worst = np.where(forward_map() > 0, high, low).reshape(64, 8, 8)
    narrow, wide = forward(worst.astype(np.int32)), forward(worst.astype(np.int64))
    assert narrow.dtype == np.int32 and wide.dtype == np.int64
    np.testing.assert_array_equal(narrow, wide)


def words18(spread: int, count: int = 3000) -> np.ndarray:
    return np.random.default_rng(SEED).integers(-spread, spread, (count, WORDS, 2))


def exact_inverse_map() -> np.ndarray:
    return (64 * np.fft.ifft2(unpack(np.eye(64).reshape(64, WORDS, 2))).real).reshape(64, 64).T


def inverse_rounding() -> float:
    """Largest rounding error of an inverse output, in its units.

    Column roundings: ½ in each part of O'[1] and O'[3], that is, in rows 1, 3, 5 and 7 of a column. A row
    takes them from X0 + X4 (½ + ½), from X2 (twice ½), from X1 and X3 through √2 (g: p and q are sums of
    two) or times 2 (m), and adds ½ of its own.
    """
    odd_x = 1 + 1 + np.sqrt(2) * (1 + 1) + 0.5
    even_x = 1 + 1 + 2 * (0.5 + 0.5)
    return max(odd_x, even_x)


@pytest.mark.parametrize("spread", [1 << 6, 1 << 11, 1 << 17])
def test_inverse_is_64_ifft2_within_its_bound(spread):
    words = words18(spread)
    error = np.abs(inverse(words) - 64 * np.fft.ifft2(unpack(words.astype(float))).real)
    constant = np.abs(inverse_map() - exact_inverse_map())
    bound = np.abs(words.reshape(-1, 64)) @ constant.T + inverse_rounding()
    assert (error.reshape(-1, 64) <= bound).all()


def test_inverse_error_of_pictures_is_a_fraction_of_a_pixel():
    """Words that come from a tile of pixels (no saturation): below 0.2 of a pixel (128 units)."""
    pixels = tiles(*UNSIGNED)
    words = np.rint(2 * pack(np.fft.fft2(pixels))).astype(int)  # 64·ifft2(2·FFT2) = 128·pixels
    assert np.abs(inverse(words) - 128 * pixels).max() <= 0.2 * 128


def test_no_words_leave_the_inverse_widths():
    low, high = PRODUCT_SUM.limits
    impulses = UNIT * np.eye(64, dtype=np.int64).reshape(64, WORDS, 2).transpose(1, 2, 0)
    column_map = ifft.columns(impulses).reshape(-1, 64) / UNIT
    assert reach(column_map, low, high) + 1 <= Format(23).limits[1]
    assert reach(inverse_map(), low, high) + inverse_rounding() <= Format(26).limits[1]


def test_worst_words_of_every_output_in_int32_equal_int64():
    low, high = PRODUCT_SUM.limits
    signs = np.concatenate((inverse_map() > 0, inverse_map() <= 0))
    worst = np.where(signs, high, low).reshape(-1, WORDS, 2)
    narrow, wide = inverse(worst.astype(np.int32)), inverse(worst)
    assert narrow.dtype == np.int32 and wide.dtype == np.int64
    np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize("size", range(1, 9))
def test_inverse_of_size_is_the_corner_of_the_whole(size):
    words = words18(1 << 17, 50)
    np.testing.assert_array_equal(inverse(words, size), inverse(words)[..., :size, :size])


def test_a_real_word_zero_makes_all_outputs_equal():
    """What dot mode relies on: a fully connected layer passes the inverse transform unchanged."""
    words = np.zeros((3, WORDS, 2), int)
    words[:, 0, 0] = PRODUCT_SUM.limits[0], -1, PRODUCT_SUM.limits[1]
    np.testing.assert_array_equal(inverse(words), np.broadcast_to(words[:, 0, 0, None, None], (3, 8, 8)))


def test_leading_axes_do_not_matter():
    pixels = np.random.default_rng(SEED).integers(0, 256, (2, 3, 8, 8)).astype(np.uint8)
    words = forward(pixels)
    assert words.shape == (2, 3, WORDS, 2)
    np.testing.assert_array_equal(words[1, 2], forward(pixels[1, 2]))
    outputs = inverse(words)
    assert outputs.shape == (2, 3, 8, 8)
    np.testing.assert_array_equal(outputs[0, 1], inverse(words[0, 1]))


def test_reference_transforms_are_the_fft():
    pixels = np.random.default_rng(SEED).integers(0, 256, (5, 8, 8))
    np.testing.assert_allclose(reference.forward(pixels), 2 * pack(np.fft.fft2(pixels)), atol=1e-9)
    np.testing.assert_allclose(reference.inverse(reference.forward(pixels)), 128.0 * pixels, atol=1e-9)
