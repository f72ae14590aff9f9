"""Credits that connect a producer and a consumer of a ping-pong buffer.

A half is *reserved* when its producer begins it, *full* when its last entry can be read, *free* again when
its consumer has read it.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

BUFFERS = 2


class PingPong(wiring.Component):
    """How many halves of a ping-pong buffer are reserved, and how many are full and not yet begun.

    Members: pulses ``reserve``, ``fill``, ``begin``, ``free``; levels ``can_reserve``, ``can_begin``.
    """

    reserve: In(1)
    fill: In(1)
    begin: In(1)
    free: In(1)
    can_reserve: Out(1, init=1)
    can_begin: Out(1)

    def elaborate(self, platform):
        m = Module()
        reserved = Signal(range(BUFFERS + 1))
        full = Signal(range(BUFFERS + 1))
        next_reserved = Signal.like(reserved)
        next_full = Signal.like(full)
        m.d.comb += [
            next_reserved.eq(reserved + self.reserve - self.free),
            next_full.eq(full + self.fill - self.begin),
        ]
        m.d.sync += [
            reserved.eq(next_reserved),
            full.eq(next_full),
            self.can_reserve.eq(next_reserved != BUFFERS),
            self.can_begin.eq(next_full != 0),
        ]
        return m
