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


class WrapStep(wiring.Component):
    """What two accumulators' wraps come to, in one clock: each is -1, 0 or 1.

    A module of its own: synthesis that maps for speed would repeat its logic in every bit of the counter.

    Members: ``wrapped``, ``negative``: per accumulator; ``by``: the sum of both, -2 to 2, in the same clock.
    """

    wrapped: In(ACCUMULATORS)
    negative: In(ACCUMULATORS)
    by: Out(signed(3))

    def elaborate(self, platform):
        m = Module()
        down, up = self.wrapped & self.negative, self.wrapped & ~self.negative
        fewer = (down[0] & ~up[1]) | (down[1] & ~up[0])
        # Bit by bit three LUTs; two adders would be more.
        m.d.comb += self.by.eq(Cat(self.wrapped.xor(), (up.all() | fewer), fewer).as_signed())
        return m


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
        m.submodules.step = step = WrapStep()
        m.d.comb += [step.wrapped.eq(self.above ^ expected), step.negative.eq(negative)]
        wraps = Signal.like(self.wraps, reset_less=True)
        m.d.sync += wraps.eq(Mux(fresh, 0, wraps) + step.by)
        m.d.comb += self.wraps.eq(wraps)
        return m
