"""Generations: answers to what was asked before a reset are told from those to what was asked since.

A reset of the accelerator alone does not make memory forget what it was asked for; a reset of both does.
Nothing here can know which it was, and nothing has to: reads carry the number of the reset they came
after, and an answer with another number is dropped, whether it comes or not.
"""

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hw.gateware.ports.axi import ID_BITS


class Generation(wiring.Component):
    """Counts the resets of its clock domain, modulo 2^``ID_BITS``; however long one lasts, it is one.

    Members: ``number``; ``settled``, low in the first clock after a reset, in which ``number`` is still
    the old one. An answer is taken for a new one again when it comes 2^``ID_BITS`` resets late.
    """

    number: Out(ID_BITS)
    settled: Out(1)

    def elaborate(self, platform):
        m = Module()
        fresh = Signal(init=1)
        seen = Signal(init=1, reset_less=True)  # a reset lasts: it has been counted
        number = Signal(ID_BITS, reset_less=True)
        m.d.sync += [fresh.eq(0), seen.eq(fresh)]
        with m.If(fresh & ~seen):
            m.d.sync += number.eq(number + 1)
        m.d.comb += [self.number.eq(number), self.settled.eq(~fresh)]
        return m
