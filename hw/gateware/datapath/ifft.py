"""Inverse transform of one lane: four words in, a row of eight outputs out, every clock.

The forward transform backwards (``docs/numbers.md``, *Inverse transform*; :mod:`hw.gateware.datapath.fft`):
columns by decimation in time, then rows. Nothing is rounded except the products with √½.
"""

from amaranth import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import TRANSFORM_WORDS
from hw.contract.formats import PRODUCT_SUM
from hw.contract.spectrum import TILE
from hw.gateware.datapath.transpose import Commutator, Transposer, tile_clock_bit
from hw.gateware.primitives.arith import SQRT_HALF_CLOCKS, Complex, register, times_sqrt_half
from hw.gateware.primitives.delay import delay, replicate
from hw.gateware.primitives.layouts import complex_layout, pixels_layout, words_layout

HALF_BITS = PRODUCT_SUM.bits + 3
"""An output of the 4-point transform: sums of four packed words, each a sum of two words."""

COLUMN_BITS = PRODUCT_SUM.bits + 4
"""A column's output. Four of its eight terms turn by 45°, which makes a part of them at most √2 larger:
(4 + 4√2)·2^17 = 9.66·2^17 < 2^21. (The real part of the packed column sees F(u,0) alone, the imaginary
part F(u,4) alone: no factor of two.)"""

OUTPUT_BITS = PRODUCT_SUM.bits + 8
"""An output. 30 complex words count twice, each at most √2·2^17, and 4 real bins once: 89·2^17 < 2^24,
so the sum fits 25 bits; the port has the 26 of ``docs/numbers.md``."""

PACK_CLOCKS = 1
FOUR_POINT_CLOCKS = 2
BUTTERFLY_CLOCKS = 1 + SQRT_HALF_CLOCKS + 1
ROW_CLOCKS = 2 + SQRT_HALF_CLOCKS + 1


class InverseFFT(wiring.Component):
    """32 words to one 8×8 tile of real outputs every 8 clocks, unscaled: 64·ifft2 of the spectrum.

    ::

         4 words ──▶ pack columns 0 and 4 into one ──▶ Z[u], even u in clock 2v, odd u in clock 2v + 1
                           │
                      4-point inverse DFT           clock 2v: E[0..3], clock 2v + 1: O[0..3]
                           │
                      commutator                    clock 2v: i = 0, 2 of E and O
                           │                        clock 2v + 1: i = 1, 3
                      butterflies  z[i], z[i+4] = E[i] ± exp(2πj·i/8)·O[i]
                           │ 8 × 22 bit
                      transposer                    clock y: X0, X4, X1, X2, X3 of row y
                           │
                      row transform ──▶ 8 outputs of row y

    ``start`` is high a clock before words 0..3; words 4t + i are on wire i in clock t, without gaps, the
    next tile in any clock after them. ``o_start`` is high with row 0, ``latency`` clocks after words 0..3;
    rows 1 to 7 follow. Every ``start`` leaves as an ``o_start``, however close they are.
    Words may be anything of 18 bits. Fixed latency, no back pressure. One adder (with a multiplexer at
    most) between registers.

    Cost (yosys 0.70, ``synth_xilinx -family xc7``): 2190 LUT, 620 SRL, 2060 FF, no DSP slice.
    """

    def __init__(self):
        self._commutator = Commutator(HALF_BITS, wire_bit=2, time_bit=0)
        self._transposer = Transposer(COLUMN_BITS)
        super().__init__(
            {
                "start": In(1),
                "words": In(words_layout(PRODUCT_SUM.bits, TRANSFORM_WORDS)),
                "o_start": Out(1),
                "pixels": Out(pixels_layout(OUTPUT_BITS, TILE)),
            }
        )

    @property
    def latency(self) -> int:
        """Clocks from words 0..3 to row 0."""
        reordering = self._transposer.latency + self._commutator.latency
        return PACK_CLOCKS + FOUR_POINT_CLOCKS + BUTTERFLY_CLOCKS + ROW_CLOCKS + reordering

    def elaborate(self, platform):
        m = Module()
        m.submodules.commutator, m.submodules.transposer = commutator, transposer = (
            self._commutator,
            self._transposer,
        )
        start = delay(m, self.start, 1, name="start", reset=True)
        packed = pack(m, self.words, self.start, start)
        clocks = PACK_CLOCKS + FOUR_POINT_CLOCKS
        m.d.comb += commutator.start.eq(delay(m, start, clocks, name="four_point_start", reset=True))
        for i, parts in enumerate(four_point(m, packed)):
            for p, number in enumerate(parts):
                m.d.comb += commutator.numbers[4 * (i % 2) + 2 * (i // 2) + p].eq(number)

        columns_start = delay(m, commutator.o_start, BUTTERFLY_CLOCKS, name="butterfly_start", reset=True)
        m.d.comb += transposer.start.eq(columns_start)
        (odd_rows,) = tile_clock_bit(m, commutator.o_start, 0, name="half_clock")
        for wire, number in enumerate(butterflies(m, commutator.reordered, odd_rows)):
            m.d.comb += transposer.numbers[wire].eq(number)

        m.d.comb += self.o_start.eq(delay(m, transposer.o_start, ROW_CLOCKS, name="row_start", reset=True))
        for x, output in enumerate(row_transform(m, transposer.transposed)):
            m.d.comb += self.pixels[x].eq(output)
        return m


def pack(m: Module, words, before: Signal, start: Signal) -> list[Complex]:
    """Z = column 0 + j column 4 in clocks 0 and 1, other words as they are; ``PACK_CLOCKS`` later.

    In clock 0 (``start``, which is ``before`` a clock later) wires 1 and 3 hold f = F(2,0) and g = F(2,4);
    in clock 1 wires 0 and 3, and 1 and 2, hold such pairs of u = 1 and 3. The wire of f gets Z[u] = f + jg,
    that of g Z[8-u] = conj f + j conj g.
    """
    z = []
    for k in range(TRANSFORM_WORDS):
        # Every word has registers of its own for what chooses its partner.
        if k in (0, 2):
            paired, other = replicate(m, start, name=f"paired_{k}"), words[3 - k]
        else:
            first = replicate(m, before, name=f"first_{k}")
            paired = replicate(m, before | start, name=f"paired_{k}")
            other = Mux(first, words[4 - k], words[3 - k])
        own = words[k]
        other = complex_layout(PRODUCT_SUM.bits)(Mux(paired, other, 0))
        if k in (0, 1):
            re, im = own.re - other.im, own.im + other.re
        else:
            re, im = Mux(paired, own.im, own.re) + other.re, Mux(paired, own.re, own.im) - other.im
        z.append((register(m, f"packed_re{k}", re), register(m, f"packed_im{k}", im)))
    return z


def four_point(m: Module, z: list[Complex]) -> list[Complex]:
    """4-point inverse DFT, unscaled; ``FOUR_POINT_CLOCKS`` later."""
    (z0_re, z0_im), (z1_re, z1_im), (z2_re, z2_im), (z3_re, z3_im) = z
    # Clock 1: frequencies two apart.
    p_re, p_im = register(m, "plus_re0", z0_re + z2_re), register(m, "plus_im0", z0_im + z2_im)
    q_re, q_im = register(m, "plus_re1", z1_re + z3_re), register(m, "plus_im1", z1_im + z3_im)
    c_re, c_im = register(m, "minus_re0", z0_re - z2_re), register(m, "minus_im0", z0_im - z2_im)
    d_re, d_im = register(m, "minus_re1", z1_re - z3_re), register(m, "minus_im1", z1_im - z3_im)

    # Clock 2
    outputs = (
        (p_re + q_re, p_im + q_im),
        (c_re - d_im, c_im + d_re),
        (p_re - q_re, p_im - q_im),
        (c_re + d_im, c_im - d_re),
    )
    return [
        (register(m, f"half_re{i}", x, HALF_BITS), register(m, f"half_im{i}", y, HALF_BITS))
        for i, (x, y) in enumerate(outputs)
    ]


def butterflies(m: Module, halves, odd_rows: Signal) -> list[Signal]:
    """z[i], z[i+4] = E[i] ± exp(2πj·i/8)·O[i]; ``BUTTERFLY_CLOCKS`` later.

    ``halves``: part p of E[i] on wire 2·(i // 2) + p, of O[i] four wires on; i = 0, 2 while ``odd_rows``
    is 0, i = 1, 3 while it is 1. Part p of z[i + 4h] leaves on wire 4h + 2·(i // 2) + p.
    """
    wait = BUTTERFLY_CLOCKS - 1
    before = delay(m, odd_rows, wait - 1, name="rotate")
    upper, lower = [], []
    for i in (0, 2):
        # Clocks 1 to 4: √½ (1 + j) (x + jy), for odd i.
        x, y = halves[4 + i], halves[5 + i]
        re = times_sqrt_half(m, f"turned_re{i}", register(m, f"x_minus_y{i}", x - y))
        im = times_sqrt_half(m, f"turned_im{i}", register(m, f"x_plus_y{i}", x + y))
        x, y = delay(m, x, wait, name=f"odd_re{i}"), delay(m, y, wait, name=f"odd_im{i}")
        e_re = delay(m, halves[i], wait, name=f"even_re{i}")
        e_im = delay(m, halves[i + 1], wait, name=f"even_im{i}")

        # Clock 5
        of_re, of_im = (replicate(m, before, name=f"rotate_{part}{i}") for part in ("re", "im"))
        o_re, o_im = Mux(of_re, re, x), Mux(of_im, im, y)
        sums = (e_re + o_re, e_im + o_im, e_re - o_re, e_im - o_im)
        if i == 2:  # O[2] and O[3] turn by another 90°: times j
            sums = (e_re - o_im, e_im + o_re, e_re + o_im, e_im - o_re)
        z = [register(m, f"z{i}_{n}", total, COLUMN_BITS) for n, total in enumerate(sums)]
        upper, lower = upper + z[:2], lower + z[2:]
    return upper + lower


def row_transform(m: Module, numbers) -> list[Signal]:
    """X0, X4, then the parts of X1, X2, X3 to 8 real outputs; ``ROW_CLOCKS`` later."""
    x0, x4, x1_re, x1_im, x2_re, x2_im, x3_re, x3_im = numbers
    # Clock 1
    a, b = register(m, "a", x0 + x4), register(m, "b", x0 - x4)
    p, q = register(m, "p", x1_re - x3_re), register(m, "q", x1_im + x3_im)
    m_half, w_half = register(m, "m_half", x1_re + x3_re), register(m, "w_half", x3_im - x1_im)
    x2_re, x2_im = register(m, "x2_re", x2_re), register(m, "x2_im", x2_im)

    # Clock 2
    p_minus_q, p_plus_q = register(m, "p_minus_q", p - q), register(m, "p_plus_q", p + q)
    a_plus, a_minus = register(m, "a_plus", a + (x2_re << 1)), register(m, "a_minus", a - (x2_re << 1))
    b_plus, b_minus = register(m, "b_plus", b + (x2_im << 1)), register(m, "b_minus", b - (x2_im << 1))

    # Clocks 3 to 5: √2 is twice √½. The other terms wait.
    g = times_sqrt_half(m, "g", p_minus_q, 1)
    k = times_sqrt_half(m, "k", p_plus_q, 1)
    a_plus, a_minus, b_plus, b_minus = (
        delay(m, value, SQRT_HALF_CLOCKS, name=value.name) for value in (a_plus, a_minus, b_plus, b_minus)
    )
    even, odd = (delay(m, v, SQRT_HALF_CLOCKS + 1, name=v.name) << 1 for v in (m_half, w_half))

    # Clock 6
    outputs = (
        a_plus + even, b_minus + g, a_minus + odd, b_plus - k,
        a_plus - even, b_minus - g, a_minus - odd, b_plus + k,
    )  # fmt: skip
    return [register(m, f"output{x}", value, OUTPUT_BITS) for x, value in enumerate(outputs)]
