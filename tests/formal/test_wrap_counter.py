"""The counter of packed sums: right for all products up to a field's size, for all lengths of sums."""

import pytest
from amaranth.hdl import Assert, Assume, Elaboratable, Module, Mux, Signal, signed, unsigned

from hw.contract.packed_products import LongestSums, PackedProducts
from hw.gateware.datapath import wrap_counter
from hw.gateware.datapath.wrap_counter import WrapCounter, WrapStep
from tests.formal.proof import earlier

pytestmark = pytest.mark.formal

PACKED = PackedProducts(8, 11, LongestSums(512))
"""The widest cell of a DSP48E1. Its products are free numbers here: what is proven needs no multiplier."""

HIGH_BITS = 4
"""Of the high field, of which the counter sees one."""


class Counter(Elaboratable):
    """Two accumulators and the counter behind them: ``low`` and ``high`` products are whatever they like, of
    at most ``size``; that of a low product of nothing has any sign."""

    def __init__(self, block=WrapCounter, size=1 << PACKED.offset):
        self.dut, self.size = block(PACKED.wrap_bits), size
        self.load = Signal()
        self.low = [Signal(signed(PACKED.offset + 2), name=f"low_{i}") for i in range(2)]
        self.high = [Signal(signed(HIGH_BITS), name=f"high_{i}") for i in range(2)]
        self.any_sign = Signal(2)
        self.inputs = [self.load, *self.low, *self.high, self.any_sign]

    def elaborate(self, platform):
        m = Module()
        m.submodules.dut = dut = self.dut
        offset, begun = PACKED.offset, Signal()
        m.d.comb += dut.load.eq(self.load)
        with m.If(self.load):
            m.d.sync += begun.eq(1)
        wraps = []
        for i, (low, high) in enumerate(zip(self.low, self.high, strict=True)):
            m.d.comb += Assume((low <= self.size) & (low >= -self.size))
            lows = Signal(unsigned(offset + PACKED.wrap_bits), name=f"lows_{i}", reset_less=True)
            highs = Signal(unsigned(HIGH_BITS), name=f"highs_{i}", reset_less=True)
            p = Signal(unsigned(offset + HIGH_BITS), name=f"p_{i}", reset_less=True)
            for total, part in ((lows, low), (highs, high), (p, low + (high << offset))):
                m.d.sync += total.eq(Mux(self.load, 0, total) + part)
            m.d.comb += [
                dut.odd[i].eq(high[0]),
                dut.negative[i].eq(Mux(low == 0, self.any_sign[i], low < 0)),
                dut.above[i].eq(p[offset]),
            ]
            with m.If(begun):  # what P is made of
                m.d.comb += Assert(p == (lows + (highs << offset))[: len(p)])
            wraps.append(lows >> offset)
        wanted = earlier(m, (wraps[0] + wraps[1])[: PACKED.wrap_bits], name="wanted")
        with m.If(begun & earlier(m, begun, name="begun_before")):
            m.d.comb += Assert(dut.wraps.as_unsigned() == wanted)
        return m


def test_wraps_are_those_of_both_low_sums(proven):
    proven(Counter(), depth=4)


def test_products_beyond_a_field_are_too_large(refuted):
    refuted(Counter(size=(1 << PACKED.offset) + 1), depth=8)


def test_a_sum_that_begins_with_the_last_ones_field_is_found(refuted, planted):
    stale = planted(wrap_counter, WrapCounter, "Mux(self.load, 0, self.above)", "self.above")
    refuted(Counter(stale), depth=8)


def test_wraps_that_cancel_are_found_where_they_do_not(refuted, planted):
    wrong = planted(wrap_counter, WrapStep, "down[1] & ~up[0]", "down[1]")
    refuted(Counter(planted(wrap_counter, WrapCounter, WrapStep=wrong)), depth=8)
