"""Modules that many places share: one of each kind and key, and nothing said of those it stands for."""

from amaranth import Module
from amaranth.hdl import Fragment
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.emit import emit
from hw.gateware.primitives.shared import Emitter, Shared


class Adder(wiring.Component):
    """Adds a constant, a clock later."""

    def __init__(self, step):
        self.step = step
        super().__init__({"a": In(8), "b": Out(8)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.b.eq(self.a + self.step)
        return m


class Other(Adder):
    """Another kind, of the same key."""

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.b.eq(self.a - self.step)
        return m


class Top(wiring.Component):
    """Adders in a row; some of one key."""

    def __init__(self):
        self.parts = [Adder(3), Adder(5), Adder(3), Other(3)]
        super().__init__({"a": In(8), "stop": In(1), "b": Out(8)})

    def elaborate(self, platform):
        m = Module()
        value = self.a
        for i, part in enumerate(self.parts):
            m.submodules[f"part_{i}"] = Shared(part, part.step, reset=self.stop)
            m.d.comb += part.a.eq(value)
            value = part.b
        m.d.comb += self.b.eq(value)
        return m


def test_every_key_is_emitted_once():
    text = emit(Top(), "top").text
    modules = {
        line.split("(")[0].removeprefix("module ") for line in text.splitlines() if line.startswith("module ")
    }
    assert modules == {"top", "top_adder", "top_adder_1", "top_other"}
    # Every one has its own reset besides that of the domain.
    assert text.count("stop") >= 1 and "rst | stop" in text.replace("(", "").replace(")", "")


def test_in_simulation_it_is_the_component_itself(simulate):
    dut = Top()

    async def bench(ctx):
        ctx.set(dut.a, 10)
        await ctx.tick().repeat(4)
        assert ctx.get(dut.b) == 10 + 3 + 5 + 3 - 3

    simulate(dut, bench)


def test_names_are_given_in_order_and_modules_wait_to_be_emitted():
    emitter, parts = Emitter("x"), [Adder(1), Adder(2), Adder(1)]
    assert [emitter.module(part, part.step) for part in parts] == ["x_adder", "x_adder_1", "x_adder"]
    assert [name for name, _ in emitter.pending] == ["x_adder", "x_adder_1"]
    for part in parts[:2]:
        Fragment.get(part, None)  # the third one stands for nothing, and Amaranth is told so
