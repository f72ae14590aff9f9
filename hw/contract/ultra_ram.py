"""UltraRAM: how memories lie in it.

A block holds 4,096 words of 72 bits, written by bytes (UltraScale Architecture Memory Resources, UG573). A
column bank of the feature memory is a byte wide, so each of 8 bytes of a word holds lines of its own; a
word's ninth has no use here.
"""

from __future__ import annotations

from dataclasses import dataclass

BLOCK_WORDS = 4096
BLOCK_BITS = 72
WORD_BYTES = 8


@dataclass(frozen=True)
class UltraShape:
    """words: a power of two where there is more than a byte of them. bytes: of a word, 1 to ``WORD_BYTES``.
    Line i lies in word i mod ``words``, byte i div ``words``."""

    words: int
    bytes: int

    @property
    def blocks(self) -> int:
        """UltraRAM blocks: those below the first one are chained to it."""
        return -(-self.words // BLOCK_WORDS)


def ultra_shape(depth: int) -> UltraShape:
    """The shape of ``depth`` lines of a byte in as few blocks as hold them."""
    if depth <= BLOCK_WORDS:
        return UltraShape(depth, 1)
    words = BLOCK_WORDS
    while words * WORD_BYTES < depth:
        words *= 2
    return UltraShape(words, -(-depth // words))


def ultra_blocks(depth: int, width: int) -> int:
    """UltraRAM blocks of ``depth`` words of ``width`` bits, written as a whole."""
    return -(-depth // BLOCK_WORDS) * -(-width // BLOCK_BITS)
