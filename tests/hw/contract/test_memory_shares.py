"""How deep memories are split."""

import pytest

from hw.contract.memory_shares import memory_depths


@pytest.mark.parametrize(
    ("width", "depth", "parts"),
    [
        (8, 100, [100]),
        (8, 4096, [4096]),
        (8, 16384, [16384]),
        (8, 4097, [4096, 1]),
        (8, 20480, [16384, 4096]),
        (8, 49152, [32768, 16384]),
        (8, 65536, [32768, 32768]),
        (8, 32767, [16384, 8192, 4096, 4095]),
        (16, 2047, [2047]),
        (16, 3000, [2048, 952]),
        (36, 1024, [1024]),
        (36, 1025, [1024, 1]),
        (36, 4096, [4096]),
        (36, 4400, [4096, 304]),
        (34, 10000, [4096, 4096, 1024, 784]),
    ],
)
def test_a_deep_memory_lies_in_few_that_waste_nothing(width, depth, parts):
    assert memory_depths(depth, width) == parts
    # Bits of a block, which has a ninth of its room for parity, where the width makes use of it.
    per_block = 36 * 1024 if width > 32 else 32 * 1024
    assert sum(-(-part * width // per_block) for part in parts) <= -(-depth * width // per_block) + 1


@pytest.mark.parametrize("width", [1, 3, 8, 16, 33, 36])
@pytest.mark.parametrize("depth", [1, 2, 1000, 5000, 30000, 100_000])
def test_every_part_begins_at_a_multiple_of_its_size(width, depth):
    """So that a few bits of an address say which it is."""
    parts = memory_depths(depth, width)
    assert sum(parts) == depth and parts == sorted(parts, reverse=True)
    for i, words in enumerate(parts):
        assert sum(parts[:i]) % (1 << (words - 1).bit_length()) == 0
