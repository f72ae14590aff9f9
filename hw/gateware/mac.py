"""The product array: three real products per complex product, and no modes in the array.

For a spectrum word X = a + jb a row accumulates

    k1 = Σ w1·(a + b)      k2 = Σ w2·a      k3 = Σ w3·b

and the drain forms re = k1 - k3, im = k1 + k2 (the three-product scheme attributed to Gauss). What a
step computes is decided by the factors alone, which all lanes share (:class:`RowWeights`).
"""

from amaranth import C, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from hw.config import BANKS
from hw.formats import SPECTRUM
from hw.gateware.arith import register
from hw.gateware.delay import copy, delay
from hw.gateware.once import Once
from hw.gateware.types import words_layout
from hw.step_format import SELECT_BITS


class Mode(enum.Enum, shape=unsigned(2)):
    """What a step multiplies: complex words, a dual-real word, or pairs of raw pixels."""

    COMPLEX = 0
    DUAL = 1
    DOT = 2


def weight_layout(bits: int) -> data.StructLayout:
    """A row's part of a step: the bank to pick from and a weight word c + jd, ``bits`` per part."""
    return data.StructLayout({"select": SELECT_BITS, "re": signed(bits), "im": signed(bits)})


def factors_layout(bits: int) -> data.StructLayout:
    """The factors of a row for weights of ``bits`` per part; w2 and w3 are sums of two parts."""
    return data.StructLayout({"w1": signed(bits), "w2": signed(bits + 1), "w3": signed(bits + 1)})


def sums_layout(bits: int) -> data.StructLayout:
    """The sums of a row, ``bits`` each."""
    return data.StructLayout({"k1": signed(bits), "k2": signed(bits), "k3": signed(bits)})


class RowWeights(wiring.Component):
    """Turns the weight words c + jd of a step into factors, once for all lanes.

    ======== === ======= ======= ===========================================================
    mode     w1  w2      w3      behind the drain
    ======== === ======= ======= ===========================================================
    complex  c   d - c   c + d   re = Σ ac - bd, im = Σ ad + bc
    dual     0   d       -c      re = Σ bc, im = Σ ad: the X buffer stores a and b exchanged
    dot      c   0       c - d   re = Σ ac + bd
    ======== === ======= ======= ===========================================================

    A bubble (a clock without ``valid``) becomes zero factors without ``first``, which leave every sum
    alone: one synchronous reset per row here instead of a clock enable at every DSP slice.

    Parameters: ``rows`` N; ``weight_bits`` 8 to 16; ``group``: rows that work in the same clock.
    Latency, no back pressure: ``o_first`` and the ``factors`` of the first group follow a step by
    ``latency`` clocks, and ``selects`` by one clock less, as :class:`MacLane` wants them; those of group j
    come j clocks later. What waits is the weights themselves: fewer bits than their factors.
    Cost (Yosys 0.68, 8-bit weights, 12 rows in groups of 4): 70 LUT and 66 FF per row.
    """

    latency = 2

    def __init__(self, rows: int, weight_bits: int, group: int):
        self.rows, self.weight_bits, self.group = rows, weight_bits, group
        super().__init__(
            {
                "valid": In(1),
                "first": In(1),
                "mode": In(Mode),
                "weights": In(data.ArrayLayout(weight_layout(weight_bits), rows)),
                "selects": Out(data.ArrayLayout(unsigned(SELECT_BITS), rows)),
                "factors": Out(data.ArrayLayout(factors_layout(weight_bits), rows)),
                "o_first": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.o_first.eq(delay(m, self.first & self.valid, self.latency, name="first", reset=True))
        valid, mode = self.valid, self.mode
        for j, start in enumerate(range(0, self.rows, self.group)):
            for n in range(start, start + self.group):
                weight = delay(m, self.weights[n], j, name=f"weight_{n}")
                self._row(m, n, copy(m, mode, name=f"mode_{n}"), valid, weight)
            valid = delay(m, valid, 1, name=f"valid_{j}", reset=True)
            mode = delay(m, mode, 1, name=f"mode_{j}")
        return m

    def _row(self, m, n, mode, valid, weight):
        """Clock 0: register the step. Clock 1: the factors."""
        c = register(m, f"c_{n}", Mux(valid, weight.re, 0), self.weight_bits)
        d = register(m, f"d_{n}", Mux(valid, weight.im, 0), self.weight_bits)
        select = Signal(SELECT_BITS, name=f"select_{n}", reset_less=True)
        # A reset, as for the weights, keeps the last register of the way out of a shift-register LUT.
        m.d.sync += select.eq(Mux(valid, weight.select, 0))
        m.d.comb += self.selects[n].eq(select)
        self._factors(m, n, mode, c, d)

    def _factors(self, m, n, mode, c, d):
        """Clock 1: the factors of row ``n``."""
        factors = Signal(factors_layout(self.weight_bits), name=f"factors_{n}", reset_less=True)
        w1, w2, w3 = factors.w1, factors.w2, factors.w3
        with m.Switch(mode):
            with m.Case(Mode.DUAL):
                m.d.sync += [w1.eq(0), w2.eq(d), w3.eq(-c)]
            with m.Case(Mode.DOT):
                m.d.sync += [w1.eq(c), w2.eq(0), w3.eq(c - d)]
            with m.Default():
                m.d.sync += [w1.eq(c), w2.eq(d - c), w3.eq(c + d)]
        m.d.comb += self.factors[n].eq(factors)


class MacRow(wiring.Component):
    """A complex multiply-accumulator: three DSP slices behind an 8:1 multiplexer.

    ::

        x, 8 banks ─▶ 8:1 ─▶ a, b ─┬─▶ a + b ─▶ × w1 ─▶ Σ ─▶ k1
                       ▲           ├─▶ a ─────▶ × w2 ─▶ Σ ─▶ k2
                     select        └─▶ b ─────▶ × w3 ─▶ Σ ─▶ k3
        clock          -1      0         1        2      3

    Every register from clock 0 on is one of the DSP48E1's own (UG479, figure 2-1): A and D, AD, B1
    and B2, M, P. Multipliers are inferred, not instantiated, so that the block simulates everywhere.

    Parameters: ``weight_bits`` 8 to 16; ``acc_bits`` of each sum, at most 48 (the P register).
    Latency, no back pressure: ``x`` and ``factors`` belong together, ``select`` comes one clock before
    them, ``load`` two clocks behind them; ``sums`` hold the step ``latency`` clocks after ``x``.

    Cost (Yosys 0.66, ``synth_xilinx -family xc7``): 3 DSP48E1, 96 LUT, 4 FF.
    """

    latency = 4
    load_delay = 2

    def __init__(self, weight_bits: int, acc_bits: int):
        self.acc_bits = acc_bits
        super().__init__(
            {
                "x": In(words_layout(SPECTRUM.bits, BANKS)),
                "select": In(SELECT_BITS),
                "factors": In(factors_layout(weight_bits)),
                "load": In(1),
                "sums": Out(sums_layout(acc_bits)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The row's own copy of its select: a bit drives 32 multiplexers here, not 32 in every lane.
        select = Signal(SELECT_BITS, reset_less=True)
        m.d.sync += select.eq(self.select)
        word = Signal(words_layout(SPECTRUM.bits, 1)[0].shape)
        words = [self.x[bank].as_value() for bank in range(BANKS)]
        for bit in select:
            words = [Mux(bit, odd, even) for even, odd in zip(words[::2], words[1::2], strict=True)]
        m.d.comb += word.eq(words[0])
        # Clock 0: A and D registers. Clock 1: pre-adder, or the second A register.
        a, b = register(m, "a", word.re), register(m, "b", word.im)
        terms = {"k1": register(m, "ab", a + b), "k2": register(m, "a2", a), "k3": register(m, "b2", b)}
        load = Signal(reset_less=True)
        m.d.sync += load.eq(self.load)
        factors = (self.factors.w1, self.factors.w2, self.factors.w3)
        for (k, term), factor in zip(terms.items(), factors, strict=True):
            # Clocks 0 and 1: B registers. Clock 2: M register.
            b1 = register(m, f"{k}_b1", factor)
            b2 = register(m, f"{k}_b2", b1)
            product = register(m, f"{k}_m", term * b2)
            # Clock 3: P register.
            total = Signal(signed(self.acc_bits), name=f"{k}_p", reset_less=True)
            m.d.sync += total.eq(Mux(load, C(0, signed(self.acc_bits)), total) + product)
            m.d.comb += self.sums[k].eq(total)
        return m


class MacLane(wiring.Component):
    """The N rows of one lane: every step, each row adds one product of a word of one bank.

    Rows form groups, and every group works one clock behind the one before it: ``x`` and ``first`` go from
    group to group through registers, so that none of their bits drives more than the rows of one group.
    ``first`` marks the first step of a sum, whose products replace the sums instead of adding to
    them. Sums wrap at ``acc_bits``, so k1 - k3 and k1 + k2 are right whenever they themselves fit.

    Parameters: ``rows`` N; ``weight_bits`` 8 to 16; ``acc_bits`` at most 48; ``group``: rows of a group, a
    divisor of N.
    Latency, no back pressure: ``x``, ``first`` and the ``factors`` of group 0 belong together, ``selects``
    come one clock before them; selects and factors of group j are due j clocks later than group 0's. The
    ``sums`` of group j hold a step ``latency`` + j clocks after its ``x``, until the next step.
    Cost beside the rows (Yosys 0.68): 257 FF per hop.
    """

    latency = MacRow.latency

    def __init__(self, rows: int, weight_bits: int, acc_bits: int, group: int):
        self.rows = [MacRow(weight_bits, acc_bits) for _ in range(rows)]
        self.group = group
        self._key = (weight_bits, acc_bits)
        super().__init__(
            {
                "x": In(words_layout(SPECTRUM.bits, BANKS)),
                "selects": In(data.ArrayLayout(unsigned(SELECT_BITS), rows)),
                "factors": In(data.ArrayLayout(factors_layout(weight_bits), rows)),
                "first": In(1),
                "sums": Out(data.ArrayLayout(sums_layout(acc_bits), rows)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # Reset keeps synthesis from making this a shift-register LUT, too slow to drive a group.
        load = delay(m, self.first, MacRow.load_delay, name="load", reset=True)
        x = self.x
        for n, row in enumerate(self.rows):
            if n and n % self.group == 0:
                hop = n // self.group
                x = delay(m, x, 1, name=f"x_{hop}")
                load = delay(m, load, 1, name=f"load_{hop}", reset=True)
            m.submodules[f"row_{n}"] = Once(row, self._key)
            m.d.comb += [
                row.x.eq(x),
                row.select.eq(self.selects[n]),
                row.factors.eq(self.factors[n]),
                row.load.eq(load),
                self.sums[n].eq(row.sums),
            ]
        return m
