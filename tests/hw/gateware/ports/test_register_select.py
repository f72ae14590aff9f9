"""The choice among registers: every number, those without a word included, once the clocks are over."""

import random

from amaranth import Module, Signal
from amaranth.sim import Simulator

from hw.gateware.ports.register_select import CLOCKS, select

BITS = 10


def test_every_number_finds_its_word_and_no_other() -> None:
    dice = random.Random(5)
    numbers = [0, 1, 7, 8, 63, 64, 65, 1023, *dice.sample(range(1024), 30)]
    words = {number: Signal(32, init=dice.getrandbits(32)) for number in numbers}
    words[2] = 0x5A  # a constant, and narrow
    number, m = Signal(BITS), Module()
    out = Signal(33)
    m.d.comb += [out.eq(select(m, number, words))]
    m.d.comb += [Signal(32).eq(word) for word in words.values() if isinstance(word, Signal)]

    async def testbench(ctx) -> None:
        for index in [*numbers, 2, 3, 9, 62, 66, 512, 1022]:
            ctx.set(number, index)
            await ctx.tick().repeat(CLOCKS)
            word = words.get(index)
            expected = 0 if word is None else 1 << 32 | (word if isinstance(word, int) else word.init)
            assert ctx.get(out) == expected, index

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()
