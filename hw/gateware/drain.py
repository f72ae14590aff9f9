"""Drain: the sums of a word, D rows per clock, as the 18-bit words the inverse transform takes."""

from amaranth import C, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.formats import BIAS, MAX_DRAIN_SHIFT, PRODUCT_SUM
from hw.gateware.arith import register, round_shift, saturate
from hw.gateware.delay import delay
from hw.gateware.mac import sums_layout
from hw.gateware.types import complex_layout, words_layout

SHIFT_BITS = MAX_DRAIN_SHIFT.bit_length()
FINE_BITS = 3
"""Low bits of the shift, applied one clock after the others."""


class Drain(wiring.Component):
    """Reads N rows out while the array works on the next word.

    ::

        clock 0   shadow   re = k1 - k3, im = k1 + k2 of all rows; then a shift chain by D rows
        clock 1   bias     re + bias[n], word 0 only
        clock 2   shift    right by 0, 8, 16 or 24, one guard bit kept
        clock 3   shift    right by 0 to 7
        clock 4   round    half up: the guard bit is added
        clock 5   saturate 18 bits

    The shadow loads, adds and shifts in one place: while it does not load, one operand of its adders is
    the row behind and the other one zero, so that both functions of a carry cell (O5 and O6) fit one LUT6.

    Cost (Yosys 0.66, 34-bit sums, which counts those halves apart): 136 LUT and 68 FF per row, and for
    every four rows on their way out 1550 LUT and 1300 FF. No DSP slice.

    Parameters: ``rows`` N, a multiple of ``drain`` D; ``acc_bits`` of k1, k2, k3, which wrap: re and im
    must fit.
    Latency, no back pressure: ``sums`` are captured in the clock of ``load``, which may come again
    N/D clocks later (earlier, if the last rows are not needed). Rows Dj to Dj + D - 1 leave at ``o_words``
    ``latency`` + j clocks after ``load``; their ``bias``, ``shift`` (0 to 31) and ``add_bias`` are
    due ``table_latency`` + j clocks after it. Equal to :func:`hw.formats.drain`.
    """

    latency = 6
    table_latency = 1

    def __init__(self, rows: int, acc_bits: int, drain: int):
        self.rows, self.acc_bits, self.drain = rows, acc_bits, drain
        super().__init__(
            {
                "sums": In(data.ArrayLayout(sums_layout(acc_bits), rows)),
                "load": In(1),
                "bias": In(data.ArrayLayout(signed(BIAS.bits), drain)),
                "shift": In(data.ArrayLayout(unsigned(SHIFT_BITS), drain)),
                "add_bias": In(1),
                "o_words": Out(words_layout(PRODUCT_SUM.bits, drain)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        head = self._shadow(m)
        for i in range(self.drain):
            # Clock 1: bias.
            bias = Mux(self.add_bias, self.bias[i], 0)
            parts = {
                "re": register(m, f"re_{i}_biased", head[i].re + bias),
                "im": register(m, f"im_{i}_biased", head[i].im),
            }
            shift = delay(m, self.shift[i], 1, name=f"shift_{i}")
            coarse = Cat(C(0, FINE_BITS), shift[FINE_BITS:])
            fine = delay(m, shift[:FINE_BITS], 1, name=f"fine_{i}")
            for part, value in parts.items():
                # Clocks 2 and 3: a zero below the value becomes the guard bit, the last one shifted out.
                value = register(m, f"{part}_{i}_coarse", Cat(C(0, 1), value).as_signed() >> coarse)
                value = register(m, f"{part}_{i}_fine", value >> fine)
                # Clocks 4 and 5.
                value = register(m, f"{part}_{i}_rounded", round_shift(value, 1), len(value) - 1)
                value = register(m, f"{part}_{i}_out", saturate(value, PRODUCT_SUM), PRODUCT_SUM.bits)
                m.d.comb += self.o_words[i][part].eq(value)
        return m

    def _shadow(self, m):
        """Clock 0: the sums of all rows as complex words; the first D are the head of the chain."""
        shape = complex_layout(self.acc_bits)
        chain = [Signal(shape, name=f"shadow_{n}", reset_less=True) for n in range(self.rows)]
        behind = [*chain[self.drain :], *[C(0, shape.size)] * self.drain]
        for sums, word, following in zip(self.sums, chain, behind, strict=True):
            following = data.View(shape, following)
            m.d.sync += [
                word.re.eq(_load_or_shift(self.load, sums.k1, sums.k3, following.re, subtract=True)),
                word.im.eq(_load_or_shift(self.load, sums.k1, sums.k2, following.im, subtract=False)),
            ]
        return chain[: self.drain]


def _load_or_shift(load, a, b, following, *, subtract):
    """``load`` ? a ± b : ``following``, as one adder."""
    a = Mux(load, a, following)
    b = Mux(load, ~b if subtract else b, 0)
    # -b is ~b + 1; the bits appended below both operands carry the 1 in.
    return (Cat(C(1, 1), a) + Cat(load, b))[1:] if subtract else a + b
