"""Counter of the wraps of low fields: what reads packed sums exactly.

Of a sum P = L + 2^s·H the counter wants floor(L / 2^s). Its parity is that of bit s of P, less that of H: a
wrap shows where bit s turns and the product that was added to H is even, or stays and it is odd. Whether the
field wrapped up or down is the sign of the product that was added to L. That is at most 2^s: one wrap a
clock. Where it is zero there is none, and the sign is not looked at.
"""

from amaranth import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

ACCUMULATORS = 2
"""Of a row: P_A and P_B."""


class WrapCounter(wiring.Component):
    """One counter for both accumulators of a :class:`hw.gateware.datapath.packed_mac.PackedMacRow`.

    ======== ==== ==== ========================================================================
    port     flow bits meaning
    ======== ==== ==== ========================================================================
    odd      in   2    per accumulator, while its product is in the M register: the high part is odd,
    negative in   2    the low part is negative (of any sign where it is zero)
    load     in   1    the products begin a sum
    above    in   2    the bits above the low fields, of the P registers
    wraps    out  bits signed: how often both low fields wrapped
    ======== ==== ==== ========================================================================

    Parameters: ``bits`` of the counter, which wraps itself beyond them.
    Latency: ``wraps`` follow the products by 2 clocks, the P registers by one.
    """

    latency = 2

    def __init__(self, bits: int):
        super().__init__(
            {
                "odd": In(ACCUMULATORS),
                "negative": In(ACCUMULATORS),
                "load": In(1),
                "above": In(ACCUMULATORS),
                "wraps": Out(signed(bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Clock 0, with the P registers: what the bits above would be without a wrap.
        expected = Signal(ACCUMULATORS, reset_less=True)
        negative, fresh = Signal(ACCUMULATORS, reset_less=True), Signal(reset_less=True)
        m.d.sync += [
            expected.eq(Mux(self.load, 0, self.above) ^ self.odd),
            negative.eq(self.negative),
            fresh.eq(self.load),
        ]
        # Clock 1: each -1, 0 or 1; their sum bit by bit is three LUTs, two adders would be more.
        wrapped = self.above ^ expected
        down, up = wrapped & negative, wrapped & ~negative
        fewer = (down[0] & ~up[1]) | (down[1] & ~up[0])
        by = Cat(wrapped.xor(), (up.all() | fewer), fewer).as_signed()
        wraps = Signal.like(self.wraps, reset_less=True)
        m.d.sync += wraps.eq(Mux(fresh, 0, wraps) + by)
        m.d.comb += self.wraps.eq(wraps)
        return m
