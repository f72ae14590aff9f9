"""Queue: first in, first out, of words of hundreds of bits."""

from amaranth import Cat, Module
from amaranth.lib import fifo, wiring
from amaranth.lib.wiring import In, Out

MOST_SHARE_BITS = 108
"""18 RAM32M of 6 bits: few counters, and no net with 128 loads."""


class WideQueue(wiring.Component):
    """A :class:`amaranth.lib.fifo.SyncFIFOBuffered`, in shares of ``MOST_SHARE_BITS`` at most: each counts
    for itself, so that no net says to all bits what is written, read or stays. All do the same in each clock.

    Parameters: ``width`` of a word, ``depth`` in words.

    Members
    -------
    w_data: in, ``width``. The word to write,
    w_en: in, 1. now,
    w_rdy: out, 1. if there is room.
    r_data: out, ``width``. The oldest word,
    r_rdy: out, 1. if there is one;
    r_en: in, 1. it is taken.

    Latency: 2 clocks.
    """

    def __init__(self, width: int, depth: int):
        self.depth = depth
        super().__init__(
            {
                "w_data": In(width),
                "w_en": In(1),
                "w_rdy": Out(1),
                "r_data": Out(width),
                "r_rdy": Out(1),
                "r_en": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        width = len(self.w_data)
        share_bits = -(-width // -(-width // MOST_SHARE_BITS))
        shares = []
        for first in range(0, width, share_bits):
            bits = self.w_data[first : first + share_bits]
            share = fifo.SyncFIFOBuffered(width=len(bits), depth=self.depth)
            m.submodules[f"share_{len(shares)}"] = share
            shares.append(share)
            m.d.comb += [share.w_data.eq(bits), share.w_en.eq(self.w_en), share.r_en.eq(self.r_en)]
        m.d.comb += [
            self.w_rdy.eq(shares[0].w_rdy),
            self.r_rdy.eq(shares[0].r_rdy),
            self.r_data.eq(Cat(share.r_data for share in shares)),
        ]
        return m
