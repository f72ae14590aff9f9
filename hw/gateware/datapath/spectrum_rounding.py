"""Spectrum rounding: words of the forward transform, cut to narrow ones (``docs/numbers.md``)."""

from collections.abc import Sequence

from amaranth import Array, C, Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import CLOCKS_PER_TILE, TRANSFORM_WORDS
from hw.contract.formats import Format
from hw.contract.latencies import NARROW_CLOCKS
from hw.gateware.datapath.fft import EXACT_BITS, EXACT_FRACTION
from hw.gateware.datapath.transpose import tile_clock
from hw.gateware.primitives.arith import register, round_shift, saturate
from hw.gateware.primitives.delay import replicate
from hw.gateware.primitives.layouts import words_layout


class SpectrumRounding(wiring.Component):
    """Rounds the exact words of a tile to ``bits``, each shifted by a number of its own.

    ::

        clock -1  table    the shifts of the next four words
        clock 0   shift    right by what all words have, and by 0 to 8 more, one guard bit kept
        clock 1   round    half up: the guard bit is added
        clock 2   saturate

    ``start`` comes a clock before words 0..3 of a tile, ``table`` is the number of its table of shifts, for
    all tiles of a layer. ``o_words`` follow ``words`` by ``latency`` clocks. Fixed latency, no back pressure.

    Parameters: ``bits`` of each part, 8 to 15; ``tables`` of 32 shifts, 0 to 16 - ``bits`` each. What all
    shifts have in common costs nothing.
    """

    latency = NARROW_CLOCKS

    def __init__(self, bits: int, tables: Sequence[Sequence[int]]):
        self.bits, self.tables = bits, tables
        super().__init__(
            {
                "start": In(1),
                "table": In(range(max(2, len(tables)))),
                "words": In(words_layout(EXACT_BITS, TRANSFORM_WORDS)),
                "o_words": Out(words_layout(bits, TRANSFORM_WORDS)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        clock = tile_clock(m, self.start)
        least = min(map(min, self.tables))
        most = max(map(max, self.tables)) - least
        # A guard bit stays below the value: the last one that is shifted out.
        common = EXACT_FRACTION + least - 1
        for i, word in enumerate(self.words):
            shifts = [table[TRANSFORM_WORDS * t + i] for table in self.tables for t in range(CLOCKS_PER_TILE)]
            choice = Array(C(shift - least, range(most + 1)) for shift in shifts)[Cat(clock, self.table)]
            for part in ("re", "im"):
                value = word[part][common:].as_signed()
                if most:
                    value = value >> replicate(m, choice, name=f"{part}_{i}_shift")
                value = register(m, f"{part}_{i}_shifted", value)
                value = register(m, f"{part}_{i}_rounded", round_shift(value, 1))
                value = register(m, f"{part}_{i}_out", saturate(value, Format(self.bits)), self.bits)
                m.d.comb += self.o_words[i][part].eq(value)
        return m
