"""A bank against a list: writes, reads one clock later, and data that stay while the read port rests."""

import random

import pytest

from hw.gateware.datapath.bank import Bank


@pytest.mark.parametrize(("width", "depth"), [(8, 40), (16, 2), (3, 1)])
def test_reads_what_was_written_and_keeps_it(simulate, width, depth):
    dut, dice = Bank(width, depth), random.Random(depth)
    content, shown, seen = {}, None, 0

    async def bench(ctx):
        nonlocal shown, seen
        assert ctx.get(dut.r_en) == 1, "a bank reads unless it is told not to"
        for _ in range(400):
            write, read = dice.random() < 0.4, dice.random() < 0.7
            address = dice.randrange(depth)
            where = dice.randrange(depth)
            if write and depth > 1 and where == address:
                where = (address + 1) % depth  # reading what is being written is undefined
            write = write and where != address
            data = dice.getrandbits(width)
            ctx.set(dut.w_en, int(write))
            ctx.set(dut.w_addr, address)
            ctx.set(dut.w_data, data)
            ctx.set(dut.r_en, int(read))
            ctx.set(dut.r_addr, where)
            await ctx.tick()
            if read:
                shown = content.get(where)
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
