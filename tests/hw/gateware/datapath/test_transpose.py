"""Commutator and transposer against the permutation of position bits they are named after."""

import numpy as np
import pytest

from hw.gateware.datapath.transpose import WIRES, Commutator, Transposer

BITS = 10


def random_tiles(seed, count):
    """(count, 8 clocks, 8 wires)."""
    return np.random.default_rng(seed).integers(-512, 512, (count, WIRES, WIRES))


def exchanged(tile, wire_bit, time_bit):
    out = np.empty_like(tile)
    for clock in range(WIRES):
        for wire in range(WIRES):
            swap = ((wire >> wire_bit) ^ (clock >> time_bit)) & 1
            out[clock ^ swap << time_bit, wire ^ swap << wire_bit] = tile[clock, wire]
    return out


def put(ctx, dut, tile, clock):
    ctx.set(dut.numbers, [-333] * WIRES if tile is None else tile[clock].tolist())


def reordered(ctx, dut):
    return [ctx.get(number) for number in dut.reordered]


def transposed(ctx, dut):
    return [ctx.get(number) for number in dut.transposed]


@pytest.mark.parametrize("time_bit", [0, 1, 2])
@pytest.mark.parametrize("wire_bit", [0, 1, 2])
def test_commutator_exchanges_two_bits(stream_tiles, wire_bit, time_bit):
    tiles, gaps = random_tiles(seed=1, count=12), [0, 0, 0, *range(1, 10)]
    dut = Commutator(BITS, wire_bit=wire_bit, time_bit=time_bit)
    got = stream_tiles(dut, put, reordered, tiles, gaps)
    np.testing.assert_array_equal(got, [exchanged(tile, wire_bit, time_bit) for tile in tiles])


def test_transposer_turns_rows_into_columns(stream_tiles):
    """Part p of entry (row y, column v) goes from clock y to clock 2v + y % 2."""
    tiles, gaps = random_tiles(seed=2, count=12), [0, 0, 0, *range(1, 10)]
    got = np.array(stream_tiles(Transposer(BITS), put, transposed, tiles, gaps))
    for y in range(8):
        for v in range(4):
            for p in (0, 1):
                np.testing.assert_array_equal(
                    got[:, 2 * v + y % 2, 2 * (y // 2) + p], tiles[:, y, 2 * v + p], err_msg=f"{y}, {v}, {p}"
                )


def test_transposer_is_its_own_inverse(stream_tiles):
    tiles = random_tiles(seed=3, count=4)
    once = np.array(stream_tiles(Transposer(BITS), put, transposed, tiles, [0] * 4))
    twice = stream_tiles(Transposer(BITS), put, transposed, once, [0] * 4)
    np.testing.assert_array_equal(twice, tiles)


@pytest.mark.parametrize("clocks", [1, 5, 8, 11])
def test_reset_in_mid_tile(tile_after_reset, clocks):
    broken, tile = random_tiles(seed=4, count=2)
    got = tile_after_reset(Transposer(BITS), put, transposed, broken, tile, clocks)
    once = exchanged(exchanged(tile, 2, 2), 1, 1)
    np.testing.assert_array_equal(got, once)
