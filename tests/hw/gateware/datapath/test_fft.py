"""ForwardFFT against the integer model, bit for bit."""

import numpy as np
import pytest

from hw.contract.spectrum import BINS, TILE, WORDS
from hw.gateware.datapath.fft import ForwardFFT
from sim.model.fft import forward

Y, X = np.mgrid[:TILE, :TILE]


def random_tiles(seed, count):
    """Unsigned and signed tiles by turns."""
    rng = np.random.default_rng(seed)
    return [rng.integers(*((0, 256), (-128, 128))[i % 2], (TILE, TILE)) for i in range(count)]


def extreme_tiles():
    impulses = [255 * ((Y == i) & (X == (3 * i + 1) % 8)) for i in range(TILE)]
    board, flat = (X + Y) % 2, np.ones((TILE, TILE), int)
    return [0 * flat, 255 * flat, -128 * flat, 127 * flat, 255 * board, 127 - 255 * board, *impulses]


def worst_tiles(low, high):
    """The two tiles per part of every word that make it largest and smallest: the signs of its basis."""
    for (u, v), other in BINS:
        angle = 2 * np.pi * (u * Y + v * X) / TILE
        second = -np.sin(angle) if other is None else np.cos(2 * np.pi * (other[0] * Y + other[1] * X) / TILE)
        for basis in (np.cos(angle), second):
            yield np.where(basis > 1e-9, high, low)
            yield np.where(basis > 1e-9, low, high)


def put(ctx, dut, tile, clock):
    ctx.set(dut.pixels, [0xAA] * TILE if tile is None else [int(p) for p in tile[clock]])


def get(ctx, dut):
    return [(ctx.get(word.re), ctx.get(word.im)) for word in dut.words]


def check(stream_tiles, tiles, gaps=None):
    """Send the tiles, back to back unless ``gaps`` are given, and compare every word."""
    words = stream_tiles(ForwardFFT(), put, get, tiles, gaps or [0] * len(tiles))
    np.testing.assert_array_equal(np.reshape(words, (-1, WORDS, 2)), forward(np.array(tiles)))


def test_random_tiles_back_to_back(stream_tiles):
    check(stream_tiles, random_tiles(seed=1, count=24))


def test_random_tiles_with_random_gaps(stream_tiles):
    gaps = [*range(10), *np.random.default_rng(2).integers(0, 10, 14).tolist()]
    check(stream_tiles, random_tiles(seed=3, count=24), gaps)


def test_extreme_tiles(stream_tiles):
    check(stream_tiles, extreme_tiles())


@pytest.mark.parametrize("low, high", [(0, 255), (-128, 127)])
def test_every_word_at_its_limits(stream_tiles, low, high):
    """No width on the path is too small."""
    check(stream_tiles, list(worst_tiles(low, high)))


@pytest.mark.parametrize("clocks", [1, 4, 8, 12, 16, 20, 22, 24])
def test_reset_in_mid_tile(tile_after_reset, clocks):
    """A tile cut off by a reset leaves nothing behind: the next one is right, and alone."""
    broken, tile = random_tiles(seed=4, count=2)
    words = tile_after_reset(ForwardFFT(), put, get, broken, tile, clocks)
    np.testing.assert_array_equal(words.reshape(WORDS, 2), forward(tile))


@pytest.mark.slow
def test_cost(synthesise):
    """No DSP slice, no latch, no memory; no more of the rest than the docstring says, and a twentieth."""
    cells = synthesise(ForwardFFT())
    assert not [name for name in cells if name.startswith(("DSP", "LD", "RAM"))]
    cost = {
        kind: sum(n for name, n in cells.items() if name.startswith(kind)) for kind in ("LUT", "SRL", "FD")
    }
    assert cost["LUT"] < 1.05 * 1770 and cost["SRL"] < 1.05 * 380 and cost["FD"] < 1.05 * 1970, cost
