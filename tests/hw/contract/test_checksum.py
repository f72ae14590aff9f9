"""The checksum of streamed weights: zlib's CRC of folded beats, and what it tells apart."""

import random
import zlib

import pytest

from hw.contract.checksum import checksum, folded, joined

BEATS = 9


def naive(beats: bytes, size: int) -> int:
    """Word by word and bit by bit, from the definition."""
    words = b""
    for start in range(0, len(beats), size):
        found = 0
        for i in range(size // 4):
            word = int.from_bytes(beats[start + 4 * i : start + 4 * i + 4], "little")
            for _ in range(i):
                word = word << 1 & 0xFFFFFFFF | word >> 31
            found ^= word
        words += found.to_bytes(4, "little")
    return zlib.crc32(words)


@pytest.mark.parametrize("size", [4, 8, 16, 32, 64, 128])
def test_it_is_the_crc_of_folded_beats_and_joins(size: int) -> None:
    dice = random.Random(size)
    beats = dice.randbytes(size * BEATS)
    assert checksum(beats, size) == naive(beats, size)
    for cut in range(BEATS + 1):
        parts = [beats[: cut * size], beats[cut * size :]]
        assert joined((len(part) // size, checksum(part, size)) for part in parts) == checksum(beats, size)
    assert joined([]) == checksum(b"", size) == 0


@pytest.mark.parametrize("size", [4, 16, 128])
def test_flipped_bits_exchanged_beats_and_exchanged_memories_show(size: int) -> None:
    dice = random.Random(size)
    beats = dice.randbytes(size * BEATS)
    for bit in range(8 * len(beats)):
        changed = bytearray(beats)
        changed[bit // 8] ^= 1 << bit % 8
        assert checksum(bytes(changed), size) != checksum(beats, size), bit
    rows = [beats[i : i + size] for i in range(0, len(beats), size)]
    assert checksum(b"".join([rows[1], rows[0], *rows[2:]]), size) != checksum(beats, size)
    half = size // 2
    if half >= 4:
        exchanged = b"".join(row[half:] + row[:half] for row in rows)
        assert (folded(exchanged, size) != folded(beats, size)).any()
        assert checksum(exchanged, size) != checksum(beats, size)
