"""The product array: three real products per complex product, and no modes in the array.

For a spectrum word X = a + jb a row accumulates

    k1 = Σ w1·(a + b)      k2 = Σ w2·a      k3 = Σ w3·b

and the drain forms re = k1 - k3, im = k1 + k2 (the three-product scheme attributed to Gauss). What a
step computes is decided by the factors alone, which all lanes share
(:class:`hw.gateware.datapath.row_weights.RowWeights`).
"""

from amaranth import C, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import SELECT_BITS
from hw.contract.config import BANKS
from hw.contract.formats import SPECTRUM
from hw.contract.packed_products import PackedProducts
from hw.gateware.datapath.packed_mac import (
    PackedMacRow,
    packed_factors_layout,
    packed_held_layout,
    packed_sums_layout,
)
from hw.gateware.primitives.arith import register, selected
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.layouts import complex_layout, words_layout
from hw.gateware.primitives.shared import Shared


def factors_layout(bits: int, packed: PackedProducts | None = None) -> data.StructLayout:
    """The factors of a row for weights of ``bits`` per part; w2 and w3 are sums of two parts."""
    if packed:
        return packed_factors_layout(packed)
    return data.StructLayout({"w1": signed(bits), "w2": signed(bits + 1), "w3": signed(bits + 1)})


def sums_layout(bits: int, packed: PackedProducts | None = None) -> data.StructLayout:
    """The sums of a row, ``bits`` each."""
    if packed:
        return packed_sums_layout(packed)
    return data.StructLayout({"k1": signed(bits), "k2": signed(bits), "k3": signed(bits)})


def held_layout(bits: int, packed: PackedProducts | None = None) -> data.StructLayout:
    """What a row that runs ahead holds: re and im of ``bits`` each."""
    return packed_held_layout(packed) if packed else complex_layout(bits)


class MacRow(wiring.Component):
    """A complex multiply-accumulator: three DSP slices after an 8:1 multiplexer.

    ::

        x, 8 banks ─▶ 8:1 ─▶ a, b ─┬─▶ a + b ─▶ × w1 ─▶ Σ ─▶ k1
                       ▲           ├─▶ a ─────▶ × w2 ─▶ Σ ─▶ k2
                     select        └─▶ b ─────▶ × w3 ─▶ Σ ─▶ k3
        clock          -1      0         1        2      3

    Every register from clock 0 on is one of the DSP48E1's own (UG479, figure 2-1): A and D, AD, B1
    and B2, M, P. Multipliers are inferred, not instantiated, so that the block simulates everywhere.

    A row that runs ahead has a register after its sums: ``held`` is re and im of the last word it completed.

    Parameters: ``weight_bits`` 2 to 16; ``acc_bits`` of each sum, at most 48 (the P register); ``run_ahead``;
    ``spectrum_bits`` of a part of X, at most 18.
    Latency, no back pressure: ``x`` and ``factors`` belong together, ``select`` comes one clock before
    them, ``load`` ``load_delay`` and ``hold`` ``hold_delay`` clocks after them; ``sums`` (or ``held``, for a
    step with ``hold``) follow ``x`` by ``latency`` clocks.

    Cost (Yosys 0.66, ``synth_xilinx -family xc7``): 3 DSP48E1, 96 LUT, 4 FF;
    a held sum of 34 bits 68 LUT and 69 FF more.
    """

    load_delay = 2
    hold_delay = 3

    def __init__(
        self, weight_bits: int, acc_bits: int, run_ahead: bool = False, spectrum_bits: int = SPECTRUM.bits
    ):
        self.acc_bits, self.run_ahead, self.spectrum_bits = acc_bits, run_ahead, spectrum_bits
        self.latency = 5 if run_ahead else 4
        held = {"hold": In(1), "held": Out(complex_layout(acc_bits))}
        super().__init__(
            {
                "x": In(words_layout(spectrum_bits, BANKS)),
                "select": In(SELECT_BITS),
                "factors": In(factors_layout(weight_bits)),
                "load": In(1),
                **(held if run_ahead else {"sums": Out(sums_layout(acc_bits))}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        # The row's own copy of its select: a bit drives 32 multiplexers here, not 32 in every lane.
        select = Signal(SELECT_BITS, reset_less=True)
        m.d.sync += select.eq(self.select)
        word = Signal(words_layout(self.spectrum_bits, 1)[0].shape)
        m.d.comb += word.eq(selected([self.x[bank].as_value() for bank in range(BANKS)], select))
        # Clock 0: A and D registers. Clock 1: pre-adder, or the second A register.
        a, b = register(m, "a", word.re), register(m, "b", word.im)
        terms = {"k1": register(m, "ab", a + b), "k2": register(m, "a2", a), "k3": register(m, "b2", b)}
        load = Signal(reset_less=True)
        m.d.sync += load.eq(self.load)
        factors = (self.factors.w1, self.factors.w2, self.factors.w3)
        sums = {}
        for (k, term), factor in zip(terms.items(), factors, strict=True):
            # Clocks 0 and 1: B registers. Clock 2: M register.
            b1 = register(m, f"{k}_b1", factor)
            b2 = register(m, f"{k}_b2", b1)
            product = register(m, f"{k}_m", term * b2)
            # Clock 3: P register.
            total = Signal(signed(self.acc_bits), name=f"{k}_p", reset_less=True)
            m.d.sync += total.eq(Mux(load, C(0, signed(self.acc_bits)), total) + product)
            sums[k] = total
        if self.run_ahead:
            self._hold(m, **sums)
        else:
            m.d.comb += [self.sums[k].eq(total) for k, total in sums.items()]
        return m

    def _hold(self, m, k1, k2, k3):
        """Clock 4: what the drain will read, until the row completes its next word."""
        hold = Signal(reset_less=True)
        held = Signal(complex_layout(self.acc_bits), reset_less=True)
        m.d.sync += hold.eq(self.hold)
        with m.If(hold):
            m.d.sync += [held.re.eq(k1 - k3), held.im.eq(k1 + k2)]
        m.d.comb += self.held.eq(held)


class MacLane(wiring.Component):
    """The N rows of one lane: every step, each row adds one product of a word of one bank.

    Rows form groups, and every group works one clock after the one before it: ``x`` and ``first`` go from
    group to group through registers, so that none of their bits drives more than the rows of one group.
    ``first`` marks the first step of a sum, whose products replace the sums instead of adding to
    them. Sums wrap at ``acc_bits``, so k1 - k3 and k1 + k2 are right whenever they themselves fit.

    Where rows ``run_ahead``, sums begin and end row by row: with ``loads`` and ``holds``, a bit per row, in
    place of ``first``, and ``held`` in place of ``sums`` (see :class:`MacRow`, also for their clocks).

    Parameters: ``rows`` N; ``weight_bits`` 2 to 16; ``acc_bits`` at most 48; ``group``: rows of a group, a
    divisor of N; ``run_ahead``; ``spectrum_bits`` of a part of X; ``packed``: rows of two DSP slices
    (:class:`hw.gateware.datapath.packed_mac.PackedMacRow`) for the same widths, None for three.
    Latency, no back pressure: ``x``, ``first`` and the ``factors`` of group 0 belong together, ``selects``
    come one clock before them; selects and factors of group j are due j clocks later than group 0's. The
    ``sums`` of group j hold a step ``latency`` + j clocks after its ``x``, until the next step.
    Cost beside the rows (Yosys 0.68): 257 FF per hop.
    """

    def __init__(
        self,
        rows: int,
        weight_bits: int,
        acc_bits: int,
        group: int,
        run_ahead: bool = False,
        spectrum_bits: int = SPECTRUM.bits,
        packed: PackedProducts | None = None,
    ):
        self._key = (weight_bits, acc_bits, run_ahead, spectrum_bits, packed)
        self.rows = [self._made_row() for _ in range(rows)]
        self.latency = self.rows[0].latency
        self.group, self.run_ahead = group, run_ahead
        held = data.ArrayLayout(held_layout(acc_bits, packed), rows)
        per_row = {"loads": In(rows), "holds": In(rows), "held": Out(held)}
        in_step = {"first": In(1), "sums": Out(data.ArrayLayout(sums_layout(acc_bits, packed), rows))}
        super().__init__(
            {
                "x": In(words_layout(spectrum_bits, BANKS)),
                "selects": In(data.ArrayLayout(unsigned(SELECT_BITS), rows)),
                "factors": In(data.ArrayLayout(factors_layout(weight_bits, packed), rows)),
                **(per_row if run_ahead else in_step),
            }
        )

    def _made_row(self) -> MacRow | PackedMacRow:
        weight_bits, acc_bits, run_ahead, spectrum_bits, packed = self._key
        if packed:
            return PackedMacRow(packed, run_ahead)
        return MacRow(weight_bits, acc_bits, run_ahead, spectrum_bits)

    def elaborate(self, platform):
        m = Module()
        x = self.x
        for n, row in enumerate(self.rows):
            if n and n % self.group == 0:
                x = delay(m, x, 1, name=f"x_{n // self.group}")
            m.submodules[f"row_{n}"] = Shared(row, self._key)
            m.d.comb += [
                row.x.eq(x),
                row.select.eq(self.selects[n]),
                row.factors.eq(self.factors[n]),
            ]
        if self.run_ahead:
            self._row_by_row(m)
        else:
            self._in_step(m)
        return m

    def _row_by_row(self, m):
        for n, row in enumerate(self.rows):
            m.d.comb += [
                row.load.eq(self.loads[n]),
                row.hold.eq(self.holds[n]),
                self.held[n].eq(row.held),
            ]

    def _in_step(self, m):
        # Reset keeps synthesis from making this a shift-register LUT, too slow to drive a group.
        load = delay(m, self.first, MacRow.load_delay, name="load", reset=True)
        for n, row in enumerate(self.rows):
            if n and n % self.group == 0:
                load = delay(m, load, 1, name=f"load_{n // self.group}", reset=True)
            m.d.comb += [row.load.eq(load), self.sums[n].eq(row.sums)]
