"""Shapes of words and pixels: where the parts lie, and that they are signed."""

from amaranth import Signal, signed

from hw.gateware.primitives.layouts import complex_layout, pixels_layout, words_layout


def test_the_real_part_of_a_word_is_the_lower_one_and_both_are_signed():
    word = complex_layout(5)
    assert word.size == 10
    value = word.from_bits(0b10000_01111)
    assert (value.re, value.im) == (15, -16)
    assert Signal(word).re.shape() == Signal(word).im.shape() == signed(5)


def test_words_and_pixels_follow_each_other_without_gaps():
    words = words_layout(3, 4)
    assert words.size == 4 * 6
    found = words.from_bits(sum((n | -n % 8 << 3) << 6 * n for n in range(4)))
    assert [(word.re, word.im) for word in found] == [(n, -n) for n in range(4)]
    pixels = pixels_layout(9, 3)
    assert pixels.size == 27
    assert list(pixels.from_bits(0x1FF | 0x100 << 9 | 0x0FF << 18)) == [-1, -256, 255]
