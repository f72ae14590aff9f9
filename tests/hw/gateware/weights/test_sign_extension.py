"""Weights of narrow layers reach the array as the numbers they are."""

from dataclasses import replace

import numpy as np
import pytest
from amaranth import Cat, Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import BUS_BITS_UNLESS_CHOSEN
from hw.gateware.weights.sign_extension import sign_extended
from tests.hw.gateware.streamed import program


class Extended(wiring.Component):
    """The bit planes of a step, sign-extended for the layer."""

    def __init__(self, compiled):
        self.compiled = compiled
        step = compiled.step_format
        planes = data.ArrayLayout(step.bit_plane_width, step.weight_bits)
        super().__init__({"layer": In(2), "bit_planes": In(planes), "wide": Out(planes.size)})

    def elaborate(self, platform):
        m = Module()
        planes = [self.bit_planes[i] for i in range(self.compiled.step_format.weight_bits)]
        m.d.comb += self.wide.eq(Cat(sign_extended(m, self.compiled, self.layer, planes)))
        return m


@pytest.mark.parametrize(
    ("rows", "layer_bits"), [(4, {"b": 3, "c": 5}), (40, {"a": 2}), (4, {"a": 7, "b": 7})]
)
def test_the_sign_repeats_beyond_a_layers_width(simulate, rows, layer_bits):
    compiled = program(rows=rows, layer_bits=layer_bits)
    step, rng = compiled.step_format, np.random.default_rng(rows)
    dut = Extended(compiled)

    async def bench(ctx):
        for layer, plan in enumerate(compiled.layers):
            width = plan.weight_bits
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(3)
            for _ in range(3):
                weights = rng.integers(-(1 << width - 1), 1 << width - 1, step.bit_plane_width)
                planes = [sum(int(w >> i & 1) << n for n, w in enumerate(weights)) for i in range(width)]
                noise = [
                    int.from_bytes(rng.bytes(step.bit_plane_width // 8 + 1), "little")
                    for _ in range(width, step.weight_bits)
                ]
                mask = (1 << step.bit_plane_width) - 1
                ctx.set(dut.bit_planes, planes + [plane & mask for plane in noise])
                found = ctx.get(dut.wide)
                for n, wanted in enumerate(weights):
                    bits = [found >> i * step.bit_plane_width + n & 1 for i in range(step.weight_bits)]
                    value = sum(bit << i for i, bit in enumerate(bits)) - (bits[-1] << step.weight_bits)
                    assert value == wanted

    simulate(dut, bench)


def test_designs_that_hold_their_weights_have_no_logic_for_it():
    compiled = program(layer_bits={"b": 3})
    held = replace(
        compiled, config=replace(compiled.config, stream_weights=False, bus_bits=BUS_BITS_UNLESS_CHOSEN)
    )
    planes = [Signal(8) for _ in range(8)]
    assert all(a is b for a, b in zip(sign_extended(None, held, None, planes), planes, strict=True))
