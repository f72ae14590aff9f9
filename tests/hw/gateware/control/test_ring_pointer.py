"""Ring pointer against row numbers modulo the ring, over the windows of every layer in row bands."""

from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.contract.spectrum import TILE
from hw.gateware.control.ring_pointer import RingPointer, top_row
from hw.gateware.primitives.delay import per_layer
from tests.hw.gateware.programs import program


class Alone(wiring.Component):
    """The pointer with its steps as inputs; of several in a clock the last one counts."""

    def __init__(self, compiled):
        self.plans = compiled.layers
        bits = max(p.source.ring for p in self.plans).bit_length() + 6
        super().__init__(
            {
                "layer": In(range(len(self.plans))),
                "start": In(1),
                "step": In(1),
                "back": In(1),
                "below": In(1),
                "position": Out(bits),
                "top": Out(bits),
                "wraps": Out(1),
                "below_wraps": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        height = per_layer(m, self.layer, [p.group_height for p in self.plans], name="height")
        pointer = RingPointer(m, self.layer, self.plans, height)
        with m.If(self.start):
            pointer.start(m)
        with m.If(self.step):
            pointer.step(m)
        with m.If(self.back):
            pointer.back_to_top(m)
        with m.If(self.below):
            pointer.go_to(m, pointer.below)
        m.d.comb += [
            self.position.eq(pointer.position),
            self.top.eq(pointer.top),
            self.wraps.eq(pointer.wraps),
            self.below_wraps.eq(pointer.below_wraps),
        ]
        return m


def ringed():
    return [
        (name, instruction)
        for name in ("bands", "pointwise bands")
        for instruction, plan in enumerate(program(name).layers)
        if plan.source.ring
    ]


def test_the_case_has_rings():
    assert len(ringed()) > 1


@pytest.mark.parametrize("odd", [False, True])
@pytest.mark.parametrize(("name", "instruction"), ringed())
def test_rows_of_windows_wrap_at_the_end_of_the_ring(simulate, name, instruction, odd):
    compiled = program(name)
    if odd:  # a ring that a stride of two rows does not divide
        layers = [
            replace(p, source=replace(p.source, ring=p.source.ring - 1 + p.source.ring % 2))
            if p.source.ring
            else p
            for p in compiled.layers
        ]
        compiled = replace(compiled, layers=tuple(layers))
    plan, dut, wraps = compiled.layers[instruction], Alone(compiled), []
    ring, channels, step = plan.source.ring, 2, plan.layer.sampling

    async def pulse(ctx, *names):
        for name in names:
            ctx.set(getattr(dut, name), 1)
        await ctx.tick()
        for name in names:
            ctx.set(getattr(dut, name), 0)

    async def bench(ctx):
        ctx.set(dut.layer, instruction)
        await ctx.tick().repeat(2)
        await pulse(ctx, "start")
        for group in range(12):  # more than the instruction has: over the ring's end at least once
            top = top_row(plan) + group * plan.group_height
            for channel in range(channels):
                for row in range(top, top + TILE * step, step):
                    assert ctx.get(dut.position) == row % ring, (group, channel, row)
                    assert ctx.get(dut.top) == top % ring
                    wraps.append(ctx.get(dut.wraps))
                    assert wraps[-1] == ((row + step) % ring < step)
                    if row - top >= 3 * step:
                        assert ctx.get(dut.below_wraps) == (top % ring + plan.group_height >= ring)
                    ends = row == top + (TILE - 1) * step
                    last = ends and channel == channels - 1
                    await pulse(ctx, "step", *(["back"] if ends else []), *(["below"] if last else []))
            await ctx.tick()  # nothing moves without a step

    simulate(dut, bench)
    assert {0, 1} == set(wraps)


def test_without_a_ring_nothing_wraps(simulate):
    compiled = program("plain")
    dut = Alone(compiled)
    assert not any(plan.source.ring for plan in compiled.layers)

    async def bench(ctx):
        for instruction in range(len(compiled.layers)):
            ctx.set(dut.layer, instruction)
            await ctx.tick().repeat(2)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.step, 1)
            for _ in range(20):
                assert (ctx.get(dut.wraps), ctx.get(dut.below_wraps)) == (0, 0)
                await ctx.tick()
            ctx.set(dut.step, 0)

    simulate(dut, bench)
