"""Credits that connect a producer and a consumer of a ping-pong buffer.

A half is *taken* when its producer begins it, *full* when its last entry can be read, *free* again when its
consumer has read it.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

HALVES = 2


class PingPong(wiring.Component):
    """How many halves of a ping-pong buffer are taken, and how many are full and not yet begun.

    Members: pulses ``take``, ``fill``, ``begin``, ``free``; levels ``can_take``, ``can_begin``.
    """

    take: In(1)
    fill: In(1)
    begin: In(1)
    free: In(1)
    can_take: Out(1, init=1)
    can_begin: Out(1)

    def elaborate(self, platform):
        m = Module()
        taken = Signal(range(HALVES + 1))
        full = Signal(range(HALVES + 1))
        next_taken = Signal.like(taken)
        next_full = Signal.like(full)
        m.d.comb += [
            next_taken.eq(taken + self.take - self.free),
            next_full.eq(full + self.fill - self.begin),
        ]
        m.d.sync += [
            taken.eq(next_taken),
            full.eq(next_full),
            self.can_take.eq(next_taken != HALVES),
            self.can_begin.eq(next_full != 0),
        ]
        return m
