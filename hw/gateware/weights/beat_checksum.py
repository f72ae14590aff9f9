"""The checksum of what came from memory (:mod:`hw.contract.checksum`)."""

from functools import reduce
from operator import xor

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.primitives.crc32 import after

WORD_BITS = 32


class BeatChecksum(wiring.Component):
    """Of the beats since ``start``. Parameter: ``bits`` of a beat.

    Members
    -------
    start: in, 1. A pulse: none has come. Not beside a beat.
    valid, beat: in. A beat.
    value: out, 32. The checksum; latency: 2 clocks.
    """

    def __init__(self, bits: int):
        super().__init__({"start": In(1), "valid": In(1), "beat": In(bits), "value": Out(WORD_BITS)})

    def elaborate(self, platform):
        m = Module()
        word, register = (Signal(WORD_BITS, name=name, reset_less=True) for name in ("word", "register"))
        taken = Signal()
        count = len(self.beat) // WORD_BITS
        words = (self.beat.word_select(i, WORD_BITS).rotate_left(i % WORD_BITS) for i in range(count))
        m.d.sync += [word.eq(reduce(xor, words)), taken.eq(self.valid)]
        with m.If(taken):
            m.d.sync += register.eq(after(register, word))
        with m.If(self.start):
            m.d.sync += register.eq(-1)
        m.d.comb += self.value.eq(~register)
        return m
