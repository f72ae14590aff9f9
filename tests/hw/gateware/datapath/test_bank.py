"""A bank against a list: writes, reads two clocks later, and data that stay while either register rests."""

import random

import pytest

from hw.contract.memory_shares import memory_depths
from hw.gateware.datapath.bank import Bank


@pytest.mark.parametrize(
    ("width", "depth"), [(8, 40), (16, 2), (3, 1), (8, 8600), (8, 49152), (16, 7 * 1024), (16, 70000)]
)
def test_reads_what_was_written_and_keeps_it(simulate, width, depth):
    """Anywhere, and often around the borders of the memories that a deep bank lies in."""
    dut, dice = Bank(width, depth), random.Random(depth)
    borders = [sum(memory_depths(depth, width)[:i]) + by for i in range(5) for by in (-1, 0)]
    places = [at for at in borders if 0 <= at < depth] + [dice.randrange(depth) for _ in range(8)]
    content, read_word, shown, seen = {}, None, None, 0

    async def bench(ctx):
        nonlocal read_word, shown, seen
        assert ctx.get(dut.r_en) == ctx.get(dut.o_en) == 1, "a bank reads unless it is told not to"
        for _ in range(600):
            write, read, moves = (dice.random() < often for often in (0.4, 0.7, 0.7))
            address, where = dice.choice(places), dice.choice(places)
            write = write and where != address  # reading what is being written is undefined
            data = dice.getrandbits(width)
            ctx.set(dut.w_en, int(write))
            ctx.set(dut.w_addr, address)
            ctx.set(dut.w_data, data)
            ctx.set(dut.r_en, int(read))
            ctx.set(dut.r_addr, where)
            ctx.set(dut.o_en, int(moves))
            await ctx.tick()
            shown = read_word if moves else shown
            if read:
                read_word = content.get(where)
            if write:
                content[address] = data
            if shown is not None:
                assert ctx.get(dut.r_data) == shown
                seen += 1

    simulate(dut, bench)
    assert seen > 100 or depth == 1


@pytest.mark.parametrize(("depth", "bits"), [(1, 1), (2, 1), (3, 2), (40, 6), (64, 6)])
def test_addresses_reach_the_words_and_no_further(widths, depth, bits):
    found = widths(Bank(8, depth))
    assert (found["w_addr"], found["r_addr"], found["memory"]) == (bits, bits, depth)
