"""The CRC-32 of Ethernet and zlib: what the register holds after some bits, and a component for frames."""

from amaranth import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.checksum import POLYNOMIAL

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
        with m.If(self.start):
            m.d.sync += register.eq(register.init)
        with m.Elif(self.valid):
            m.d.sync += register.eq(after(register, self.byte))
        m.d.comb += [self.value.eq(~register), self.match.eq(register == RESIDUE)]
        return m


def after(register, data):
    """The register after the bits of ``data``, the lowest first: every bit the XOR of some of both."""
    sources = Cat(register, data)
    masks = [1 << i for i in range(32)]
    for i in range(len(data)):
        out = masks[0] ^ 1 << 32 + i
        masks = [mask ^ (out if POLYNOMIAL >> n & 1 else 0) for n, mask in enumerate([*masks[1:], 0])]
    return Cat(_parity(sources, mask) for mask in masks)


def _parity(sources, mask):
    return Cat(source for i, source in enumerate(sources) if mask >> i & 1).xor()
