"""The CRC against zlib's, at any pace."""

import random
import zlib

from hw.gateware.primitives.crc32 import Crc32


def test_crc_is_that_of_zlib(simulate) -> None:
    dut, dice = Crc32(), random.Random(1)
    messages = [b"", b"123456789", dice.randbytes(40)]

    async def testbench(ctx):
        for message in messages:
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            check = zlib.crc32(message)
            for n, byte in enumerate(message + check.to_bytes(4, "little")):
                assert ctx.get(dut.match) == 0
                if n == len(message):
                    assert ctx.get(dut.value) == check
                await ctx.tick().repeat(dice.randrange(1, 3))
                ctx.set(dut.byte, byte)
                ctx.set(dut.valid, 1)
                await ctx.tick()
                ctx.set(dut.valid, 0)
            assert ctx.get(dut.match) == 1

    simulate(dut, testbench)
