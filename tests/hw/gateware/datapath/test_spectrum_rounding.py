"""Forward transform and spectrum rounding against the integer model: every shift, saturation, any rhythm."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.formats import PIXEL_BITS, Format
from hw.contract.spectrum import TILE, WORDS
from hw.gateware.datapath.fft import ForwardFFT
from hw.gateware.datapath.spectrum_rounding import SpectrumRounding
from hw.gateware.primitives.delay import delay
from hw.gateware.primitives.layouts import pixels_layout, words_layout
from sim.model.fft import forward
from tests.hw.gateware.datapath.test_fft import extreme_tiles, get, put, random_tiles, worst_tiles


class Narrow(wiring.Component):
    """Pixels to narrow words, by one of several tables of shifts."""

    def __init__(self, bits, tables, table):
        self.fft, self.rounding, self.table = ForwardFFT(exact=True), SpectrumRounding(bits, tables), table
        self.latency = self.fft.latency + self.rounding.latency
        super().__init__(
            {
                "start": In(1),
                "pixels": In(pixels_layout(PIXEL_BITS + 1, TILE)),
                "o_start": Out(1),
                "words": Out(words_layout(bits, 4)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.fft, m.submodules.rounding = fft, rounding = self.fft, self.rounding
        m.d.comb += [
            fft.start.eq(self.start),
            fft.pixels.eq(self.pixels),
            rounding.start.eq(fft.soon),
            rounding.table.eq(self.table),
            rounding.words.eq(fft.words),
            self.words.eq(rounding.o_words),
            self.o_start.eq(delay(m, fft.o_start, rounding.latency, name="start", reset=True)),
        ]
        return m


def tables_of(bits, count, seed):
    return np.random.default_rng(seed).integers(0, 16 - bits, (count, WORDS), endpoint=True).astype(np.uint8)


def check(stream_tiles, bits, tables, table, tiles, gaps=None):
    """Returns the share of parts at a limit."""
    words = stream_tiles(Narrow(bits, tables.tolist(), table), put, get, tiles, gaps or [0] * len(tiles))
    expected = forward(np.array(tiles), bits, tables[table])
    np.testing.assert_array_equal(np.reshape(words, (-1, WORDS, 2)), expected)
    return np.isin(expected, Format(bits).limits).mean()


@pytest.mark.parametrize(
    ("bits", "count", "table"), [(8, 3, 2), (9, 1, 0), (11, 2, 0), (13, 2, 1), (15, 4, 3)]
)
def test_every_word_by_its_own_shift(stream_tiles, bits, count, table):
    gaps = [0, 0, *np.random.default_rng(bits).integers(0, 5, 12).tolist()]
    saturated = check(stream_tiles, bits, tables_of(bits, count, bits), table, random_tiles(bits, 14), gaps)
    assert saturated > 0.02 or bits > 11


@pytest.mark.parametrize("bits", [8, 11])
def test_words_at_their_limits(stream_tiles, bits):
    """As large as words get, by the largest shift and by none: rounding up to the limit, and far beyond."""
    tiles = [*extreme_tiles()[:6], *list(worst_tiles(0, 255))[::9]]
    for shift in (0, 16 - bits):
        check(stream_tiles, bits, np.full((1, WORDS), shift, np.uint8), 0, tiles)


def test_one_shift_for_all_words_takes_no_shifter():
    """What is common to all words is a choice of wires."""
    from amaranth.back import rtlil

    one, two = (
        rtlil.convert(SpectrumRounding(11, [[3] * 31 + [last]])).count("cell $sshr") for last in (3, 2)
    )
    assert two - one == 8


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "luts"), [(11, 620), (9, 680)])
def test_cost(synthesise, bits, luts):
    """Of a lane, with shifts of any size in four tables (``-s`` prints it); no DSP slice, no memory."""
    cells = synthesise(SpectrumRounding(bits, tables_of(bits, 4, 1).tolist()))
    used = sum(count for name, count in cells.items() if name.startswith(("LUT", "INV", "SRL")))
    print(f"{bits} bits: {used} LUT, {cells['FDRE']} FF")
    assert used < luts
    assert not [name for name in cells if name.startswith(("DSP", "RAM", "LD"))]
