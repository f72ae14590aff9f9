"""The checksum in gateware against the one in Python, at any pace, and from a new start on."""

import random

import pytest

from hw.contract.checksum import checksum
from hw.gateware.weights.beat_checksum import BeatChecksum


@pytest.mark.parametrize("bits", [32, 64, 256, 1024])
def test_it_is_that_of_the_beats_since_the_start(simulate, bits) -> None:
    dut, dice = BeatChecksum(bits), random.Random(bits)
    size = bits // 8

    async def testbench(ctx):
        for count in (0, 1, 7, 20, 0):
            beats = dice.randbytes(size * count)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            for i in range(count):
                ctx.set(dut.beat, int.from_bytes(beats[i * size :][:size], "little"))
                ctx.set(dut.valid, 1)
                await ctx.tick()
                ctx.set(dut.valid, 0)
                assert ctx.get(dut.value) == checksum(beats[: i * size], size), "a clock too early"
                ctx.set(dut.beat, dice.getrandbits(bits))
                for _ in range(dice.choice((0, 0, 1, 3))):
                    await ctx.tick()
            await ctx.tick()
            assert ctx.get(dut.value) == checksum(beats, size)

    simulate(dut, testbench)
