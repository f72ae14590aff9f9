"""Drain: the sums of a word, D rows per clock, as the 18-bit words the inverse transform takes."""

from amaranth import Array, C, Cat, Module, Mux, signed, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.formats import BIAS, MAX_DRAIN_SHIFT, PRODUCT_SUM
from hw.contract.packed_products import PackedProducts
from hw.gateware.datapath.mac import held_layout, sums_layout
from hw.gateware.datapath.packed_mac import added_fields
from hw.gateware.primitives.arith import register, round_shift, saturate
from hw.gateware.primitives.delay import delay, replicate
from hw.gateware.primitives.layouts import words_layout

SHIFT_BITS = MAX_DRAIN_SHIFT.bit_length()
FINE_BITS = 3
"""Low bits of the shift, applied one clock after the others."""


class Drain(wiring.Component):
    """Reads N rows out while the array works on the next word: D of them, a *group*, per clock.

    ::

        clock 0   index    the number of the group
        clock 1   replicate the number, one for every multiplexer
        clock 2   mux      the sums of one group, straight from the rows' P registers
        clock 3   join     re = k1 - k3, im = k1 + k2
        clock 4   bias     re + bias[n]
        clock 5   shift    right by 0, 8, 16 or 24, one guard bit kept
        clock 6   shift    right by 0 to 7
        clock 7   round    half up: the guard bit is added
        clock 8   saturate 18 bits

    Nothing keeps the sums: in an array whose groups work one clock after each other
    (:class:`hw.gateware.datapath.mac.MacLane`), a group's sums are complete just when it is read.

    Rows that run ahead hold re and im themselves. Then ``held`` replaces ``sums``, the number waits
    for a clock, and the multiplexers are the last thing before the bias.

    Of ``packed`` products clock 3 adds the fields of the two sums, clock 4 the bias, and the wraps, which a
    row knows a clock later than its sums, join in a clock of their own.

    Parameters: ``rows`` N, a multiple of ``drain`` D; ``acc_bits`` of k1, k2, k3, which wrap: re and im
    must fit; ``run_ahead``; ``packed``: what the rows are (:class:`hw.gateware.datapath.mac.MacLane`);
    ``lift``: bits by which a sum with its bias is lifted before it is shifted, and ``shift_bits`` of a shift,
    both for narrow spectra. ``pairs``: with ``both`` (constant while sums are read) the bias is also added to
    the imaginary parts, which are pixels of their own.
    Latency, no back pressure: the ``sums`` (or ``held``) of rows D·``group`` to D·``group`` + D - 1 are taken
    ``lead`` clocks after ``group`` and leave at ``o_words`` ``latency`` clocks after it; their ``bias`` (zero
    for a word without one) and ``shift`` (with ``lift`` in it) are due ``table_latency`` clocks after it.
    Equal to :func:`hw.contract.formats.drain`.

    Cost (Yosys 0.68, 34-bit sums), per column: 459 LUT, 505 FF, and a multiplexer of the groups: 102 LUT up
    to 4 of them, 306 for 8. No DSP slice.
    """

    table_latency = 4

    def __init__(
        self,
        rows: int,
        acc_bits: int,
        drain: int,
        run_ahead: bool = False,
        packed: PackedProducts | None = None,
        lift: int = 0,
        shift_bits: int = SHIFT_BITS,
        pairs: bool = False,
    ):
        self.rows, self.acc_bits, self.drain, self.run_ahead = rows, acc_bits, drain, run_ahead
        self.packed, self.lift, self.pairs = packed, lift, pairs
        self.lead = 3 if run_ahead else 2
        self._late = (1 + pairs) if packed else 0
        self.latency = 9 + self._late
        layout = held_layout(acc_bits, packed) if run_ahead else sums_layout(acc_bits, packed)
        super().__init__(
            {
                "held" if run_ahead else "sums": In(data.ArrayLayout(layout, rows)),
                "group": In(range(max(2, rows // drain))),
                "bias": In(data.ArrayLayout(signed(BIAS.bits), drain)),
                "shift": In(data.ArrayLayout(unsigned(shift_bits), drain)),
                **({"both": In(1)} if pairs else {}),
                "o_words": Out(words_layout(PRODUCT_SUM.bits, drain)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        group = delay(m, self.group, self.lead - 1, name="group")
        for i in range(self.drain):
            re, im = self._packed(m, group, i) if self.packed else self._biased(m, group, i)
            due = delay(m, self.shift[i], self._late, name=f"shift_{i}")
            for part, value in (("re", re), ("im", im)):
                shift = replicate(m, due, name=f"{part}_{i}_shift")
                coarse = Cat(C(0, FINE_BITS), shift[FINE_BITS:])
                fine = replicate(m, shift[:FINE_BITS], name=f"{part}_{i}_fine_shift")
                # Clocks 5 and 6: a zero below the value becomes the guard bit, the last one shifted out.
                # (From here on a clock later for packed products, two with biases of both parts.)
                lifted = Cat(C(0, 1 + self.lift), value).as_signed()
                value = register(m, f"{part}_{i}_coarse", lifted >> coarse)
                value = register(m, f"{part}_{i}_fine", value >> fine)
                # Clocks 7 and 8.
                value = register(m, f"{part}_{i}_rounded", round_shift(value, 1), len(value) - 1)
                value = register(m, f"{part}_{i}_out", saturate(value, PRODUCT_SUM), PRODUCT_SUM.bits)
                m.d.comb += self.o_words[i][part].eq(value)
        return m

    def _biased(self, m, group, column):
        """re and im of row ``column`` of the group, in clock 4 with their bias."""
        re, im = self._held(m, group, column) if self.run_ahead else self._joined(m, group, column)
        return (
            register(m, f"re_{column}_biased", re + self.bias[column]),
            register(m, f"im_{column}_biased", self._with_bias(im, self.bias[column])),
        )

    def _with_bias(self, im, bias):
        """An imaginary part with its bias, if it has one."""
        return im + Mux(self.both, bias, 0) if self.pairs else im

    def _packed(self, m, group, column):
        """As :meth:`_biased`, in clock 5, of packed products.

        Sums are read in clock 2 and added in clock 3, or held and read in clock 3; wraps a clock after them.
        """
        rows, offset = self.held if self.run_ahead else self.sums, self.packed.offset
        later = delay(m, group, 1, name=f"group_{column}_later")
        parts = ("low", "high") if self.run_ahead else ("a", "b")
        low, high = (self._of_group(m, group, rows, column, part) for part in parts)
        wraps = self._of_group(m, later, rows, column, "wraps")
        if not self.run_ahead:
            low, high = added_fields(self.packed, low, high)
            low, high = register(m, f"low_{column}", low), register(m, f"high_{column}", high)
            wraps = register(m, f"wraps_{column}_waiting", wraps)
        low = Cat(low[: offset + 1], C(0, 1)).as_signed()  # of unsigned fields
        biased = register(m, f"low_{column}_biased", low + self.bias[column])
        high = register(m, f"high_{column}_waiting", high)
        above = register(m, f"re_{column}_above", (biased >> offset) + wraps)
        below = register(m, f"re_{column}_below", biased[:offset])
        im = register(m, f"im_{column}", high - wraps, self.packed.im_bits)
        re = Cat(below, above).as_signed()
        if not self.pairs:
            return re, im
        bias = delay(m, self.bias[column], 2, name=f"bias_{column}")
        return (
            register(m, f"re_{column}_late", re),
            register(m, f"im_{column}_biased", self._with_bias(im, bias)),
        )

    def _joined(self, m, group, column):
        """re and im of row ``column`` of the group. Clocks 1 and 2: the sums. Clock 3: their sums."""
        k1, k2, k3 = (self._of_group(m, group, self.sums, column, k) for k in ("k1", "k2", "k3"))
        return (
            register(m, f"re_{column}", k1 - k3, self.acc_bits),
            register(m, f"im_{column}", k1 + k2, self.acc_bits),
        )

    def _held(self, m, group, column):
        """re and im of row ``column`` of the group, in clocks 2 and 3."""
        return [self._of_group(m, group, self.held, column, part) for part in ("re", "im")]

    def _of_group(self, m, group, rows, column, part):
        """``part`` of row ``column`` of the group, registered; its multiplexer has the number to itself."""
        group = replicate(m, group, name=f"{part}_{column}_group")
        choices = Array(rows[n][part] for n in range(column, self.rows, self.drain))
        return register(m, f"{part}_{column}", choices[group])
