"""The CRC-32 of a frame, a byte per clock."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

POLYNOMIAL = 0xEDB88320
"""The CRC-32 of Ethernet and zlib, x^31 in bit 0: bits come and go at the low end."""

RESIDUE = 0xDEBB20E3
"""What the register holds after any message that ends in its CRC."""


class Crc32(wiring.Component):
    """CRC-32 of bytes: ``start`` begins a new one, ``valid`` takes ``byte``, one per clock.

    ``value`` is the CRC of the bytes taken so far; ``match`` is high when the last four of them are the
    CRC of those before.
    """

    start: In(1)
    byte: In(8)
    valid: In(1)
    value: Out(32)
    match: Out(1)

    def elaborate(self, platform):
        m = Module()
        register = Signal(32, init=-1, reset_less=True)
        sources = Cat(register, self.byte)
        # Every bit after the byte is the XOR of some of the sources, given as a mask.
        after = [1 << i for i in range(32)]
        for i in range(8):
            out = after[0] ^ 1 << 32 + i
            after = [bit ^ (out if POLYNOMIAL >> n & 1 else 0) for n, bit in enumerate([*after[1:], 0])]
        with m.If(self.start):
            m.d.sync += register.eq(register.init)
        with m.Elif(self.valid):
            m.d.sync += register.eq(Cat(_parity(sources, mask) for mask in after))
        m.d.comb += [self.value.eq(~register), self.match.eq(register == RESIDUE)]
        return m


def _parity(sources, mask):
    return Cat(source for i, source in enumerate(sources) if mask >> i & 1).xor()
