"""InverseFFT against the integer model, bit for bit."""

import numpy as np
import pytest
from amaranth import Signal

from hw.contract.formats import PRODUCT_SUM
from hw.contract.spectrum import WORDS, unpack
from hw.gateware.datapath.ifft import InverseFFT
from sim.model.ifft import inverse

LOW, HIGH = PRODUCT_SUM.limits


class Aligned(InverseFFT):
    """With its words in the clock of ``start``, as the helpers send tiles."""

    latency = property(lambda self: InverseFFT.latency.fget(self) + 1)

    def elaborate(self, platform):
        words, self.words = self.words, Signal(self.words.shape(), name="late_words")
        m = super().elaborate(platform)
        m.d.sync += self.words.eq(words)
        self.words = words
        return m


def random_words(seed, count):
    return list(np.random.default_rng(seed).integers(LOW, HIGH + 1, (count, WORDS, 2)))


def extreme_words():
    """Constants, alternating signs, single words, and the one word a fully connected layer leaves."""
    flat = np.ones((WORDS, 2), int)
    signs = np.where(np.arange(2 * WORDS).reshape(WORDS, 2) % 2, LOW, HIGH)
    single = [np.where(np.arange(WORDS)[:, None] == b, (HIGH, LOW), 0) for b in range(WORDS)]
    score = np.where((np.arange(WORDS)[:, None] == 0) & (np.arange(2) == 0), LOW, 0)
    return [0 * flat, LOW * flat, HIGH * flat, signs, signs[:, ::-1], score, *single]


def worst_words(transform):
    """The two spectra per number that ``transform`` makes of one which make it largest and smallest."""
    unit = np.eye(2 * WORDS).reshape(2 * WORDS, WORDS, 2)
    weights = transform(unpack(unit)).reshape(2 * WORDS, -1)  # (word and part, complex number)
    for weight in np.concatenate((weights.real, weights.imag), axis=1).T:
        if np.abs(weight).max() > 1e-9:
            yield np.where(weight > 0, HIGH, LOW).reshape(WORDS, 2)
            yield np.where(weight > 0, LOW, HIGH).reshape(WORDS, 2)


def put(ctx, dut, words, clock):
    for i, word in enumerate(dut.words):
        re, im = (0x1AAAA, -0x15555) if words is None else words[4 * clock + i]
        ctx.set(word.re, int(re))
        ctx.set(word.im, int(im))


def get(ctx, dut):
    return [ctx.get(pixel) for pixel in dut.pixels]


def check(stream_tiles, words, gaps=None):
    """Send the spectra, back to back unless ``gaps`` are given, and compare every output."""
    outputs = stream_tiles(Aligned(), put, get, words, gaps or [0] * len(words))
    np.testing.assert_array_equal(np.array(outputs), inverse(np.array(words)))


def test_random_words_back_to_back(stream_tiles):
    check(stream_tiles, random_words(seed=1, count=24))


def test_random_words_with_random_gaps(stream_tiles):
    gaps = [*range(10), *np.random.default_rng(2).integers(0, 10, 14).tolist()]
    check(stream_tiles, random_words(seed=3, count=24), gaps)


def test_extreme_words(stream_tiles):
    check(stream_tiles, extreme_words())


@pytest.mark.parametrize(
    "transform",
    [np.fft.ifft2, lambda spectrum: np.fft.ifft(spectrum[..., :5], axis=-2)],
    ids=["outputs", "columns"],
)
def test_every_number_at_its_limits(stream_tiles, transform):
    """No width on the path is too small: neither of the outputs nor of the columns before them."""
    check(stream_tiles, list(worst_words(transform)))


@pytest.mark.parametrize("clocks", [1, 4, 8, 12, 16, 20, 23])
def test_reset_in_mid_tile(tile_after_reset, clocks):
    """A tile cut off by a reset leaves nothing behind: the next one is right, and alone."""
    broken, words = random_words(seed=4, count=2)
    outputs = tile_after_reset(Aligned(), put, get, broken, words, clocks)
    np.testing.assert_array_equal(outputs, inverse(words))


@pytest.mark.slow
def test_cost(synthesise):
    """No DSP slice, no latch, no memory; no more of the rest than the docstring says, and a twentieth."""
    cells = synthesise(InverseFFT())
    assert not [name for name in cells if name.startswith(("DSP", "LD", "RAM"))]
    cost = {
        kind: sum(n for name, n in cells.items() if name.startswith(kind)) for kind in ("LUT", "SRL", "FD")
    }
    assert cost["LUT"] < 1.05 * 2190 and cost["SRL"] < 1.05 * 620 and cost["FD"] < 1.05 * 2060, cost
