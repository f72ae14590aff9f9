"""Forward transform of one lane: a pixel row in, four spectrum words out, every clock.

Rows first, then columns by decimation in frequency (``docs/numbers.md``, *Forward transform*). The
8-point transforms need only ×√½, in shifts and adders: no DSP slice. Between the two, and inside the
column transform, commutators (:mod:`hw.gateware.datapath.transpose`) bring together what the next adder
needs.
"""

from collections.abc import Sequence

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import TRANSFORM_WORDS
from hw.contract.formats import COLUMN_SHIFT, PIXEL_BITS, ROW_FRACTION, SPECTRUM
from hw.contract.spectrum import TILE
from hw.gateware.datapath.transpose import Commutator, Transposer, tile_clock_bit
from hw.gateware.primitives.arith import (
    SQRT_HALF_CLOCKS,
    Complex,
    add_or_subtract,
    register,
    round_shift,
    times_sqrt_half,
)
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.layouts import pixels_layout, words_layout

ROW_BITS = 16
"""A number between rows and columns: 8·255 pixels·2**ROW_FRACTION = 32640 (``docs/numbers.md``)."""

HALF_BITS = ROW_BITS + 2
"""A difference of two numbers, turned by 45°: the commutator's width."""

COLUMN_BITS = 19
"""A column's output before rounding: 64·255·2**ROW_FRACTION = 261120 for word 0, every other is less."""

EXACT_BITS = COLUMN_BITS + 1
"""A word before rounding."""

EXACT_FRACTION = COLUMN_SHIFT + 1
"""Bits of it below X's own."""

ROW_CLOCKS = 2 + SQRT_HALF_CLOCKS + 1
BUTTERFLY_CLOCKS = 1 + 1 + SQRT_HALF_CLOCKS
FOUR_POINT_CLOCKS = 2
FOUR_POINT_SELECTS = 4
UNPACK_CLOCKS = 2


class ForwardFFT(wiring.Component):
    """One 8×8 tile of real pixels to 32 words every 8 clocks.

    ::

         8 pixels ──▶ row transform ──▶ X0 + j X4, X1, X2, X3 of row y
                           │ 8 × 16 bit
                      transposer                    clock 2v: rows 0, 2, 4, 6 of column v
                           │                        clock 2v + 1: rows 1, 3, 5, 7
                      butterflies  z[i] ± z[i+4],   differences turned by exp(-2πj·i/8)
                           │
                      commutator                    clock 2v: sums, i = 0..3
                           │                        clock 2v + 1: differences
                      4-point DFT ──▶ Z[u], even u in clock 2v, odd u in clock 2v + 1
                           │
                      unpack column 0 + j column 4, round ──▶ 4 words

    ``start`` is high with pixel row 0; rows 1 to 7 follow without gaps, the next tile in any clock
    after them. ``o_start`` is high with words 0..3, ``latency`` clocks later; words 4t + i are on wire
    i in clock t. Pixels of one tile are all in 0..255 or all in -128..127, else words may wrap.
    Fixed latency, no back pressure. One adder (with a multiplexer at most) between registers.

    With ``exact`` words are not rounded: they have ``EXACT_FRACTION`` bits more, and ``soon`` is ``o_start``
    a clock ahead (:class:`hw.gateware.datapath.spectrum_rounding.SpectrumRounding` takes both).

    Cost (yosys 0.70, ``synth_xilinx -family xc7``): 1770 LUT, 380 SRL, 1970 FF, no DSP slice.
    """

    def __init__(self, exact: bool = False):
        self.exact = exact
        self._transposer = Transposer(ROW_BITS)
        self._commutator = Commutator(HALF_BITS, wire_bit=2, time_bit=0)
        super().__init__(
            {
                "start": In(1),
                "pixels": In(pixels_layout(PIXEL_BITS + 1, TILE)),
                "o_start": Out(1),
                "words": Out(words_layout(EXACT_BITS if exact else SPECTRUM.bits, TRANSFORM_WORDS)),
                **({"soon": Out(1)} if exact else {}),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from pixel row 0 to words 0..3."""
        reordering = self._transposer.latency + self._commutator.latency
        return ROW_CLOCKS + BUTTERFLY_CLOCKS + FOUR_POINT_CLOCKS + UNPACK_CLOCKS + reordering

    def elaborate(self, platform):
        m = Module()
        m.submodules.transposer, m.submodules.commutator = transposer, commutator = (
            self._transposer,
            self._commutator,
        )
        columns_start = delay(m, self.start, ROW_CLOCKS, name="rows_start", reset=True)
        m.d.comb += transposer.start.eq(columns_start)
        for wire, number in enumerate(row_transform(m, self.pixels)):
            m.d.comb += transposer.numbers[wire].eq(number)

        halves_start = delay(m, transposer.o_start, BUTTERFLY_CLOCKS, name="butterfly_start", reset=True)
        m.d.comb += commutator.start.eq(halves_start)
        (odd_rows,) = tile_clock_bit(m, transposer.o_start, 0, name="column_clock")
        for wire, number in enumerate(butterflies(m, transposer.transposed, odd_rows)):
            m.d.comb += commutator.numbers[wire].eq(number)

        unpack_start = delay(m, commutator.o_start, FOUR_POINT_CLOCKS, name="four_point_start", reset=True)
        odd_half = tile_clock_bit(m, commutator.o_start, 0, FOUR_POINT_SELECTS, name="half_clock")
        spectrum = four_point(m, commutator.reordered, odd_half)
        words = unpack(m, spectrum, unpack_start, self.exact)
        m.d.comb += self.o_start.eq(delay(m, unpack_start, UNPACK_CLOCKS, name="unpack_start", reset=True))
        if self.exact:
            m.d.comb += self.soon.eq(delay(m, unpack_start, UNPACK_CLOCKS - 1, name="soon", reset=True))
        for word, (re, im) in zip(self.words, words, strict=True):
            m.d.comb += [word.re.eq(re), word.im.eq(im)]
        return m


def row_transform(m: Module, pixels) -> list[Signal]:
    """8 real pixels to X0, X4, then real and imaginary parts of X1, X2, X3; ``ROW_CLOCKS`` later.

    Sums stay in units of a pixel until the product with √½ needs the ``ROW_FRACTION`` bits.
    """
    # Clock 1: pixels four apart. -d[2] is formed here, to save a negation at the end.
    pixels = [pixels[i] for i in range(TILE)]
    pairs = list(enumerate(zip(pixels[:4], pixels[4:], strict=True)))
    s = [register(m, f"s{i}", low + high) for i, (low, high) in pairs]
    d = [register(m, f"d{i}", low - high) for i, (low, high) in pairs]
    minus_d2 = register(m, "minus_d2", pixels[6] - pixels[2])

    # Clock 2
    even, odd = register(m, "even", s[0] + s[2]), register(m, "odd", s[1] + s[3])
    x2 = register(m, "x2_re", s[0] - s[2]), register(m, "x2_im", s[3] - s[1])
    d1_minus_d3, d1_plus_d3 = register(m, "d1_minus_d3", d[1] - d[3]), register(m, "d1_plus_d3", d[1] + d[3])

    # Clocks 3 to 5: e and f have the fraction bits. Clock 3 also completes X0 and X4.
    e = times_sqrt_half(m, "e", d1_minus_d3, ROW_FRACTION)
    f = times_sqrt_half(m, "f", d1_plus_d3, ROW_FRACTION)
    x0, x4 = register(m, "x0", even + odd), register(m, "x4", even - odd)

    # Clock 6: X1 and X3; the others wait for them.
    d0, d2, minus_d2 = (
        delay(m, value, 1 + SQRT_HALF_CLOCKS, name=name) << ROW_FRACTION
        for name, value in (("d0", d[0]), ("d2", d[2]), ("minus_d2", minus_d2))
    )
    x1 = register(m, "x1_re", d0 + e, ROW_BITS), register(m, "x1_im", minus_d2 - f, ROW_BITS)
    x3 = register(m, "x3_re", d0 - e, ROW_BITS), register(m, "x3_im", d2 - f, ROW_BITS)
    x0, x4 = (delay(m, x, SQRT_HALF_CLOCKS, name=x.name) << ROW_FRACTION for x in (x0, x4))
    x2 = (delay(m, x, SQRT_HALF_CLOCKS + 1, name=x.name) << ROW_FRACTION for x in x2)
    return [x0, x4, *x1, *x2, *x3]


def butterflies(m: Module, z, odd_rows: Signal) -> list[Signal]:
    """Sums and turned differences of column entries four apart; ``BUTTERFLY_CLOCKS`` later.

    ``z``: entry i + 4h, part p on wire 4h + 2·(i // 2) + p, with i = 0, 2 while ``odd_rows`` is 0 and
    i = 1, 3 while it is 1. On the same wires the sums (h = 0) and the differences times exp(-2πj·i/8)
    (h = 1) come out; of entries 2 and 3 the difference's imaginary part is *negated*, because -h(x + y)
    is not what half-up rounding makes of h(-x - y): :func:`four_point` subtracts it instead.
    """
    # Clock 1
    sums = [register(m, f"sum{w}", z[w] + z[w + 4]) for w in range(4)]
    differences = [register(m, f"difference{w}", z[w] - z[w + 4]) for w in range(4)]

    # Clocks 2 to 5: √½ (1 - j) (x + jy), for odd i. The caller's register follows the multiplexer.
    turned = []
    rotate = delay(m, odd_rows, BUTTERFLY_CLOCKS, name="rotate")
    for i in (0, 2):
        x, y = differences[i], differences[i + 1]
        re = times_sqrt_half(m, f"turned_re{i}", register(m, f"x_plus_y{i}", x + y))
        im = times_sqrt_half(m, f"turned_im{i}", register(m, f"y_minus_x{i}", y - x))
        x, y = (delay(m, value, BUTTERFLY_CLOCKS - 1, name=value.name) for value in (x, y))
        re, im = Mux(rotate, re, x), Mux(rotate, im, y)
        turned += [re, im] if i == 0 else [im, re]  # times -j, im negated
    return [delay(m, s, BUTTERFLY_CLOCKS - 1, name=s.name) for s in sums] + turned


def four_point(m: Module, a, odd_half: Sequence[Signal]) -> list[Complex]:
    """4-point DFT of a[i], part p on wire 4·(i % 2) + 2·(i // 2) + p; ``FOUR_POINT_CLOCKS`` later.

    While ``odd_half`` is 1 the imaginary parts of a[2] and a[3] arrive negated; it has a register for every
    adder that has to know.
    """
    re = {i: a[4 * (i % 2) + 2 * (i // 2)] for i in range(4)}
    im = {i: a[4 * (i % 2) + 2 * (i // 2) + 1] for i in range(4)}
    # Clock 1: entries two apart.
    plus, minus = [], []
    for i in (0, 1):
        plus_im = add_or_subtract(im[i], im[i + 2], odd_half[i])
        minus_im = add_or_subtract(im[i], im[i + 2], ~odd_half[2 + i])
        plus.append((register(m, f"plus_re{i}", re[i] + re[i + 2]), register(m, f"plus_im{i}", plus_im)))
        minus.append((register(m, f"minus_re{i}", re[i] - re[i + 2]), register(m, f"minus_im{i}", minus_im)))

    # Clock 2
    (p_re, p_im), (q_re, q_im) = plus
    (c_re, c_im), (d_re, d_im) = minus
    outputs = (
        (p_re + q_re, p_im + q_im),
        (c_re + d_im, c_im - d_re),
        (p_re - q_re, p_im - q_im),
        (c_re - d_im, c_im + d_re),
    )
    return [
        (register(m, f"z_re{k}", x, COLUMN_BITS), register(m, f"z_im{k}", y, COLUMN_BITS))
        for k, (x, y) in enumerate(outputs)
    ]


def unpack(m: Module, z: list[Complex], start: Signal, exact: bool) -> list[Complex]:
    """Separate columns 0 and 4 in clocks 0 and 1, and round unless ``exact``; ``UNPACK_CLOCKS`` later.

    In clock 0 (``start``) wires 1 and 3 hold the pair Z[2], Z[6]; in clock 1 wires 0 and 3 hold Z[1], Z[7],
    wires 1 and 2 Z[3], Z[5]. The wire of Z[u] gets F(u,0), that of Z[8-u] F(u,4).
    """
    first, second = start, delay(m, start, 1, name="second_start", reset=True)
    partner = [z[3], _choose(first, z[3], z[2]), z[1], _choose(first, z[1], z[0])]
    words = []
    for k, ((x, y), (px, py)) in enumerate(zip(z, partner, strict=True)):
        # Clock 1
        if k in (0, 1):
            re, im = register(m, f"unpacked_re{k}", x + px), register(m, f"unpacked_im{k}", y - py)
        else:
            re, im = register(m, f"unpacked_re{k}", y + py), register(m, f"unpacked_im{k}", x - px)
        x, y = register(m, f"complex_re{k}", x), register(m, f"complex_im{k}", y)
        paired = delay(m, second if k in (0, 2) else first | second, 1, name=f"paired{k}")

        # Clock 2: one rounding for both; a sum of two has one fraction bit more.
        words.append(
            tuple(
                register(m, f"word_{part}{k}", total, EXACT_BITS)
                if exact
                else register(m, f"word_{part}{k}", round_shift(total, EXACT_FRACTION), SPECTRUM.bits)
                for part, total in (("re", Mux(paired, re, x << 1)), ("im", Mux(paired, im, y << 1)))
            )
        )
    return words


def _choose(condition, a: Complex, b: Complex) -> tuple:
    return Mux(condition, a[0], b[0]), Mux(condition, a[1], b[1])
