"""The first mismatch report."""

import numpy as np
import pytest

from hw.util.errors import DataError
from sim.rtl.mismatch import MAP, SCORES, TILES, first_mismatch


def test_equal_arrays_have_no_mismatch():
    a = np.arange(12).reshape(3, 4)
    assert first_mismatch(a, a.astype(np.int16), SCORES) is None


def test_the_first_place_and_the_count_are_reported():
    expected = np.zeros((2, 3, 4, 5), np.uint8)
    actual = expected.copy()
    actual[1, 0, 2, 3], actual[1, 2, 0, 0] = 255, 7
    found = first_mismatch(expected, actual, MAP, layer="conv2")
    assert found is not None
    assert found.position == (("image", 1), ("channel", 0), ("row", 2), ("column", 3))
    assert (found.expected, found.actual, found.lsb, found.count, found.worst) == (0, 255, 255, 2, 255)
    assert str(found) == (
        "conv2: image 1, channel 0, row 2, column 3: expected 0, got 255 (+255 LSB); "
        "2 of 120 values differ, by at most 255"
    )


def test_distance_is_signed_and_does_not_wrap():
    found = first_mismatch(np.array([[200]], np.uint8), np.array([[-100]], np.int8), SCORES)
    assert found is not None and found.lsb == -300
    assert "(-300 LSB)" in str(found)


@pytest.mark.parametrize(
    "word, part, text",
    [(6, 1, "word 6 = bin (3, 4), imaginary part"), (2, 0, "word 2 = bin (4, 0) and (4, 4), real part")],
)
def test_words_are_named_by_frequency(word, part, text):
    expected = np.zeros((1, 2, 2, 3, 32, 2), int)
    actual = expected.copy()
    actual[0, 1, 0, 2, word, part] = -1
    found = first_mismatch(expected, actual, TILES, layer="conv1")
    assert f"conv1: image 0, tile row 1, tile column 0, channel 2, {text}: expected 0, got -1" in str(found)


@pytest.mark.parametrize(
    "expected, actual, message",
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), r"\(3, 2\) with the expected \(2, 3\)"),
        (np.zeros(3, int), np.zeros(3, int), "axes.*image, class"),
        (np.zeros((2, 3)), np.zeros((2, 3)), "only integers compare"),
    ],
)
def test_incomparable_arrays_are_refused(expected, actual, message):
    with pytest.raises(DataError, match=message):
        first_mismatch(expected, actual, SCORES)
