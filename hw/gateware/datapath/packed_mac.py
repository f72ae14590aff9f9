"""The packed cell: a complex multiply-accumulator in two DSP slices instead of three.

Both parts of a weight lie on the wide port of a slice (:mod:`hw.contract.packed_products`): the low fields of
the two sums add up to re, the high ones to im. Whether a product is complex, dual-real or of dot mode is a
matter of the factors alone (:class:`hw.gateware.datapath.row_weights.RowWeights`).
"""

from amaranth import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import SELECT_BITS
from hw.contract.config import BANKS
from hw.contract.packed_products import PackedProducts
from hw.gateware.datapath.wrap_counter import WrapCounter
from hw.gateware.primitives.arith import register, selected
from hw.gateware.primitives.delay import replicate
from hw.gateware.primitives.layouts import words_layout


def packed_factors_layout(packed: PackedProducts) -> data.StructLayout:
    """The factors of a row: packed weights for the parts a and b of a spectrum word."""
    return data.StructLayout({part: signed(packed.port_bits) for part in "ab"})


def packed_sums_layout(packed: PackedProducts) -> data.StructLayout:
    """The sums of a row, and one clock after them their wraps."""
    return data.StructLayout(
        {**{part: signed(packed.sum_bits) for part in "ab"}, "wraps": signed(packed.wrap_bits)}
    )


def packed_held_layout(packed: PackedProducts) -> data.StructLayout:
    """What a row that runs ahead holds: the fields of both sums added, and one clock after them the wraps."""
    low, high = unsigned(packed.offset + 1), signed(packed.im_bits)
    return data.StructLayout({"low": low, "high": high, "wraps": signed(packed.wrap_bits)})


def added_fields(packed: PackedProducts, a, b):
    """(low, high): the fields of two sums, added. re is low + 2^offset · wraps, im is high - wraps."""
    offset = packed.offset
    high = a[offset:].as_signed() + b[offset:].as_signed()
    return a[:offset] + b[:offset], high[: packed.im_bits].as_signed()


class PackedMacRow(wiring.Component):
    """Two DSP slices after an 8:1 multiplexer, and a counter in logic.

    ::

        x, 8 banks ─▶ 8:1 ─┬─▶ a ─▶ × factors.a ─▶ Σ ─▶ sums.a ─┐
                       ▲   └─▶ b ─▶ × factors.b ─▶ Σ ─▶ sums.b ─┤
                     select                              wraps ◀┘
        clock          -1      0  1       2        3     4

    Every register of 11 bits or more is one of the DSP slice's own: A1, A2, B1, B2, M, P. Multipliers are
    inferred, as in :class:`hw.gateware.datapath.mac.MacRow`, whose clocks and ports these are.

    Parameters: ``packed``: the widths; ``run_ahead``.
    Latency, no back pressure: as :class:`hw.gateware.datapath.mac.MacRow`; ``wraps`` come a clock later.
    """

    load_delay = 2
    hold_delay = 3

    def __init__(self, packed: PackedProducts, run_ahead: bool = False):
        self.packed, self.run_ahead = packed, run_ahead
        self.latency = 5 if run_ahead else 4
        held = {"hold": In(1), "held": Out(packed_held_layout(packed))}
        super().__init__(
            {
                "x": In(words_layout(packed.spectrum_bits, BANKS)),
                "select": In(SELECT_BITS),
                "factors": In(packed_factors_layout(packed)),
                "load": In(1),
                **(held if run_ahead else {"sums": Out(packed_sums_layout(packed))}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        select = Signal(SELECT_BITS, reset_less=True)
        m.d.sync += select.eq(self.select)
        word = Signal(words_layout(self.packed.spectrum_bits, 1)[0].shape)
        load = Signal(reset_less=True)
        m.d.comb += word.eq(selected([self.x[bank].as_value() for bank in range(BANKS)], select))
        m.d.sync += load.eq(self.load)
        m.submodules.counter = counter = WrapCounter(self.packed.wrap_bits)
        sums = []
        for i, (name, x) in enumerate((("a", word.re), ("b", word.im))):
            odd, negative = self._seen(m, name, x)
            total = self._slice(m, name, x, load)
            sums.append(total)
            m.d.comb += [
                counter.odd[i].eq(odd),
                counter.negative[i].eq(negative),
                counter.above[i].eq(total[self.packed.offset]),
            ]
        m.d.comb += counter.load.eq(load)
        if self.run_ahead:
            self._hold(m, sums, counter.wraps)
        else:
            m.d.comb += [self.sums.a.eq(sums[0]), self.sums.b.eq(sums[1]), self.sums.wraps.eq(counter.wraps)]
        return m

    def _slice(self, m, name, x, load):
        """Clocks 0 and 1: A and B registers. Clock 2: M. Clock 3: P."""
        x = register(m, f"{name}2", register(m, f"{name}1", x))
        factor = register(m, f"{name}_w2", register(m, f"{name}_w1", self.factors[name]))
        product = register(m, f"{name}_m", x * factor)
        total = Signal(signed(self.packed.sum_bits), name=f"{name}_p", reset_less=True)
        m.d.sync += total.eq(Mux(load, C(0, total.shape()), total) + product)
        return total

    def _seen(self, m, name, x):
        """(odd, negative) of a product, with its M register, three clocks after its operands.

        A register in the middle is kept: as a shift register it would take a LUT.
        """
        factor, offset = self.factors[name], self.packed.offset
        sign = factor[offset - 1]
        # The high part of the factor is one less where the low part is negative.
        bits = Cat(x[0] & (factor[offset] ^ sign), x[-1] ^ sign)
        first = Signal(2, name=f"{name}_seen", reset_less=True)
        last = Signal(2, name=f"{name}_seen_m", reset_less=True)
        m.d.sync += first.eq(bits)
        m.d.sync += last.eq(replicate(m, first, name=f"{name}_seen_2"))
        return last

    def _hold(self, m, sums, wraps):
        """Clocks 4 and 5: what the drain will read, until the row completes its next word."""
        hold, later = Signal(reset_less=True), Signal(reset_less=True)
        held = Signal(packed_held_layout(self.packed), reset_less=True)
        m.d.sync += [hold.eq(self.hold), later.eq(hold)]
        low, high = added_fields(self.packed, *sums)
        with m.If(hold):
            m.d.sync += [held.low.eq(low), held.high.eq(high)]
        with m.If(later):
            m.d.sync += held.wraps.eq(wraps)
        m.d.comb += self.held.eq(held)
