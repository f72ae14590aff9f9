"""Row weights: from the weight words of a step to the factors of the product array, once for all lanes.

What a step computes is decided here alone: the array (:mod:`hw.gateware.datapath.mac`) has no modes.
"""

from amaranth import Cat, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, enum, wiring
from amaranth.lib.wiring import In, Out

from hw.compile.step_format import SELECT_BITS
from hw.contract.config import BANKS
from hw.contract.packed_products import PackedProducts
from hw.gateware.datapath.mac import MacRow, factors_layout
from hw.gateware.primitives.arith import register
from hw.gateware.primitives.delay import MAX_FANOUT, delay, replicate


class Mode(enum.Enum, shape=unsigned(2)):
    """What a step multiplies: complex words, a dual-real word, or pairs of raw pixels."""

    COMPLEX = 0
    DUAL = 1
    DOT = 2


def weight_layout(bits: int, run_ahead: bool = False) -> data.StructLayout:
    """A row's part of a step: the bank to pick from and a weight word c + jd, ``bits`` per part; where rows
    ``run_ahead``, also whether the row completes its word."""
    end = {"end": 1} if run_ahead else {}
    return data.StructLayout({"select": SELECT_BITS, "re": signed(bits), "im": signed(bits), **end})


class RowWeights(wiring.Component):
    """Turns the weight words c + jd of a step into factors, once for all lanes.

    ======== === ======= ======= ===========================================================
    mode     w1  w2      w3      after the drain
    ======== === ======= ======= ===========================================================
    complex  c   d - c   c + d   re = Σ ac - bd, im = Σ ad + bc
    dual     0   d       -c      re = Σ bc, im = Σ ad: the X buffer stores a and b exchanged
    dot      c   0       c - d   re = Σ ac + bd
    ======== === ======= ======= ===========================================================

    Of ``packed`` products the factors are low + 2^offset · high, a's and b's:

    ======== ===== ====== ===== ====== ========================
    mode     a low a high b low b high after the drain
    ======== ===== ====== ===== ====== ========================
    complex  c     d      -d    c      re = Σ ac - bd, im = Σ ad + bc
    dual     c     0      0     d      re = Σ ac, im = Σ bd: nothing is exchanged
    dot      c     d      d     c      re = Σ ac + bd
    ======== ===== ====== ===== ====== ========================

    A bubble (a clock without ``valid``) becomes zero factors without ``first``, which leave every sum
    alone: one synchronous reset per row here instead of a clock enable at every DSP slice.

    Where rows ``run_ahead``, every bank reads a word of a mode of its own, every row has its own ``first``,
    and instead of ``o_first`` there are ``loads`` and ``holds``, a bit per row, for :class:`MacLane`.

    Parameters: ``rows`` N; ``weight_bits`` 2 to 16; ``group``: rows that work in the same clock;
    ``run_ahead``; ``packed``: factors for :class:`hw.gateware.datapath.packed_mac.PackedMacRow`, of symmetric
    weights (no -2^(bits - 1)).
    Latency, no back pressure: ``o_first`` and the ``factors`` of the first group follow a step by
    ``latency`` clocks, and ``selects`` by one clock less, as :class:`MacLane` wants them; those of group j
    come j clocks later. What waits is the weights themselves: fewer bits than their factors.
    Cost (Yosys 0.68, 8-bit weights, 12 rows in groups of 4): 70 LUT and 66 FF per row.
    """

    latency = 2

    def __init__(
        self,
        rows: int,
        weight_bits: int,
        group: int,
        run_ahead: bool = False,
        packed: PackedProducts | None = None,
    ):
        self.rows, self.weight_bits, self.group, self.run_ahead = rows, weight_bits, group, run_ahead
        self.packed = packed
        per_row = {"loads": Out(rows), "holds": Out(rows)}
        super().__init__(
            {
                "valid": In(1),
                "first": In(rows if run_ahead else 1),
                "modes": In(data.ArrayLayout(Mode, BANKS if run_ahead else 1)),
                "weights": In(data.ArrayLayout(weight_layout(weight_bits, run_ahead), rows)),
                "selects": Out(data.ArrayLayout(unsigned(SELECT_BITS), rows)),
                "factors": Out(data.ArrayLayout(factors_layout(weight_bits, packed), rows)),
                **(per_row if run_ahead else {"o_first": Out(1)}),
            }
        )

    def elaborate(self, platform):
        m = Module()
        before, valid, modes = self.valid, self.valid, self.modes
        rows_near = MAX_FANOUT // (2 * self.weight_bits + SELECT_BITS) or 1
        for j, start in enumerate(range(0, self.rows, self.group)):
            bubble = ~valid
            for n in range(start, start + self.group):
                # All groups but the first know it a clock ahead: a register, and no logic behind it.
                if j > 0 and (n - start) % rows_near == 0:
                    bubble = replicate(m, ~before, name=f"bubble_{n}")
                weight = delay(m, self.weights[n], j, name=f"weight_{n}")
                mode = modes[weight.select] if self.run_ahead else modes[0]
                self._row(m, n, replicate(m, Value.cast(mode), name=f"mode_{n}"), bubble, weight)
                if self.run_ahead:
                    load = valid & delay(m, self.first[n], j, name=f"first_{n}")
                    hold = valid & weight.end
                    m.d.comb += [
                        self.loads[n].eq(delay(m, load, self.latency + MacRow.load_delay, name=f"load_{n}")),
                        self.holds[n].eq(delay(m, hold, self.latency + MacRow.hold_delay, name=f"hold_{n}")),
                    ]
            before, valid = valid, delay(m, valid, 1, name=f"valid_{j}", reset=True)
            modes = delay(m, modes, 1, name=f"modes_{j}")
        if not self.run_ahead:
            first = delay(m, self.first & self.valid, self.latency, name="first", reset=True)
            m.d.comb += self.o_first.eq(first)
        return m

    def _row(self, m, n, mode, bubble, weight):
        """Clock 0: register the step. Clock 1: the factors."""
        c = register(m, f"c_{n}", Mux(bubble, 0, weight.re), self.weight_bits)
        d = register(m, f"d_{n}", Mux(bubble, 0, weight.im), self.weight_bits)
        select = Signal(SELECT_BITS, name=f"select_{n}", reset_less=True)
        # A reset, as for the weights, keeps the last register on the path out of a shift-register LUT.
        m.d.sync += select.eq(Mux(bubble, 0, weight.select))
        m.d.comb += self.selects[n].eq(select)
        if self.packed:
            self._packed_factors(m, n, mode, c, d)
        else:
            self._factors(m, n, mode, c, d)

    def _packed_factors(self, m, n, mode, c, d):
        """Clock 1: the packed factors of row ``n``."""
        complex_, dual = mode == Mode.COMPLEX, mode == Mode.DUAL
        b_low = Mux(dual, 0, Mux(complex_, -d, d))
        # Its sign is known before -d is: what follows the adder takes no second one.
        b_sign = Mux(dual, 0, Mux(complex_, ~d[-1] & d.any(), d[-1]))
        fields = {"a": (c, c[-1], Mux(dual, 0, d)), "b": (b_low, b_sign, Mux(dual, d, c))}
        for part, (low, sign, high) in fields.items():
            spread = sign.replicate(self.packed.offset - (self.weight_bits - 1))
            low = Cat(low[: self.weight_bits - 1], spread)
            # The sign of the low part, spread to the top, takes one off the high part.
            factor = Cat(low, (high - sign)[: self.weight_bits])
            m.d.comb += self.factors[n][part].eq(
                register(m, f"factor_{part}_{n}", factor.as_signed(), self.packed.port_bits)
            )

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
