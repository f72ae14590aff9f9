"""Lines of a byte in UltraRAM."""

import pytest

from hw.contract.ultra_ram import BLOCK_WORDS, WORD_BYTES, ultra_shape


@pytest.mark.parametrize(
    ("depth", "words", "count", "blocks"),
    [
        (1, 1, 1, 1),
        (4096, 4096, 1, 1),
        (4097, 4096, 2, 1),
        (15360, 4096, 4, 1),
        (32768, 4096, 8, 1),
        (32769, 8192, 5, 2),
        (65537, 16384, 5, 4),
    ],
)
def test_lines_fill_the_bytes_of_a_block_before_there_is_another(depth, words, count, blocks):
    shape = ultra_shape(depth)
    assert (shape.words, shape.bytes, shape.blocks) == (words, count, blocks)


def test_every_line_has_a_byte_of_its_own_and_no_block_is_in_vain():
    for depth in [*range(1, 70_000, 611), BLOCK_WORDS * WORD_BYTES, BLOCK_WORDS * WORD_BYTES + 1]:
        shape = ultra_shape(depth)
        assert shape.words * shape.bytes >= depth
        assert shape.words * (shape.bytes - 1) < depth and shape.bytes <= WORD_BYTES
        assert (shape.blocks // 2) * BLOCK_WORDS * WORD_BYTES < depth
