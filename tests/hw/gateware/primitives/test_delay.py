"""Delay lines, copies and per-layer constants, and what a reset does to them."""

import random

from amaranth import Module, ResetInserter, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.primitives.delay import delay, per_layer, replicate

VALUES = {"unsigned": [5, 0, 31, 7], "signed": [-3, 9, 0, -16], "same": [0, 0, 0, 0]}


class Lines(wiring.Component):
    """One of each."""

    def __init__(self):
        super().__init__(
            {
                "a": In(6, init=9),
                "layer": In(2),
                "plain": Out(6),
                "reset": Out(6),
                "now": Out(6),
                "copied": Out(6),
                **{name: Out(8) for name in VALUES},
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += [
            self.plain.eq(delay(m, self.a, 3, name="plain")),
            self.reset.eq(delay(m, self.a, 3, name="reset", reset=True)),
            self.now.eq(delay(m, self.a, 0, name="now")),
            self.copied.eq(replicate(m, self.a, name="copy")),
        ]
        for name, values in VALUES.items():
            setting = per_layer(m, self.layer, values, name=name)
            assert len(setting) == {"unsigned": 5, "signed": 5, "same": 0}[name] or name == "same"
            m.d.comb += getattr(self, name).eq(setting)
        return m


def test_values_come_so_many_clocks_later_and_resets_reach_control_alone(simulate):
    dut, reset, dice = Lines(), Signal(), random.Random(2)
    history, resets = [0] * 4, [0] * 4

    async def bench(ctx):
        for clock in range(200):
            a, layer, now = dice.randrange(64), dice.randrange(4), int(dice.random() < 0.1)
            ctx.set(dut.a, a)
            ctx.set(dut.layer, layer)
            ctx.set(reset, now)
            assert ctx.get(dut.now) == a
            await ctx.tick()
            history.append(a)
            resets.append(now)
            assert ctx.get(dut.copied) == a
            if clock > 3:
                assert ctx.get(dut.plain) == history[-3]
            assert ctx.get(dut.reset) == (0 if any(resets[-3:]) else history[-3])
            for name, values in VALUES.items():
                assert ctx.get(getattr(dut, name)) == values[layer] % 256

    simulate(ResetInserter(reset)(dut), bench)
