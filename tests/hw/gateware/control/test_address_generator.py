"""Address generator against the feature layout: every line of every window, in the order of passes."""

import numpy as np
import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network
from hw.gateware.control.address_generator import AddressGenerator
from hw.gateware.control.loop_nest import LoopNest
from hw.gateware.primitives.delay import per_layer
from tests.hw.gateware.programs import CASES, passes, position_of, program


class Alone(wiring.Component):
    """The generator with the steps that the fetch controller decides on as inputs."""

    def __init__(self, compiled):
        self.program = compiled
        super().__init__(
            {
                "layer": In(range(len(compiled.layers))),
                "images": In(range(compiled.config.batch + 1)),
                "start": In(1),
                "step": In(1),
                "again": In(1),
                "end_channel": In(1),
                "wraps": In(1),
                "end_pass": In(1),
                "address": Out(range(compiled.memory_lines)),
                "x": Out(16),
                "y": Out(16),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.loops = loops = LoopNest(self.program, blocks=False, dot_images=True)
        dot = per_layer(m, self.layer, [int(p.dot) for p in self.program.layers], name="dot")
        generator = AddressGenerator(m, self.layer, self.program, loops, dot)
        m.d.comb += [
            loops.layer.eq(self.layer),
            loops.images.eq(self.images),
            loops.start.eq(self.start),
            loops.step.eq(self.end_pass),
            self.address.eq(generator.address),
            self.x.eq(generator.x),
            self.y.eq(generator.y),
        ]
        with m.If(self.start):
            generator.start(m)
        with m.If(self.step):
            generator.next_row(m)
            with m.If(self.again):
                generator.first_line_again(m)
            with m.If(self.end_channel):
                generator.next_channel(m)
            with m.If(self.wraps):
                generator.channel_0(m)
            with m.If(self.end_pass):
                generator.next_group(m)
        return m


def signed(value):
    return value - (value >> 15 << 16)


def lines_of(plan, images, first_channel=0):
    """Per line asked for: its number in the channel, and the wanted (address, x, y); no address where the row
    is not in the map, or no longer or not yet in its ring."""
    padding = 0 if plan.dot else plan.layer.padding
    height, ring = plan.source.shape[1], plan.source.ring
    for _, group_row, column, stack in passes(plan, images, blocks=False, dot_images=True):
        top = (plan.top_group + group_row) * plan.group_height - padding
        x = column * plan.lane_columns * plan.tile_stride - (0 if plan.packing > 1 else padding)
        channels = plan.source.shape[0]
        for channel in (*range(first_channel, channels), *range(first_channel)):
            for n in range(plan.lines_per_channel):
                y = address = top + n * plan.layer.sampling
                image = stack * plan.images
                if plan.packing > 1:
                    first, _ = position_of(plan.source, image, channel, 0)
                    first -= plan.source.position(0)[0]
                    again = n if plan.layer.pointwise else n % plan.tile_stride
                    address = first + (plan.top_group + group_row) * plan.row_stride + again
                elif 0 <= y < height:
                    address, _ = position_of(plan.source, image, channel, y)
                else:
                    address = None
                yield n, (address, x, y), ring


TALL = Network("tall", (1, 300, 6), (Conv("a", 1, 1, 3, padding=1),))
"""A map far taller than it is wide."""


def compiled_case(name):
    if name == "far taller":
        return compile_program(random_artifact(TALL, seed=1), AcceleratorConfig(4, 2, 1, line_pixels=8))
    return program(name)


LAYERS = [(name, instruction) for name in CASES for instruction in range(len(program(name).layers))]
LAYERS += [("far taller", 0)]


@pytest.mark.parametrize(("name", "instruction"), LAYERS)
def test_every_line_of_every_window(simulate, name, instruction):
    compiled, rng = compiled_case(name), np.random.default_rng(instruction)
    dut, plan, images = Alone(compiled), compiled.layers[instruction], compiled.config.batch
    lines = plan.lines_per_channel
    first_channel = compiled.head_starts[instruction].first_channel
    wanted = list(lines_of(plan, images, first_channel))
    per_pass = lines * plan.source.shape[0]
    checked = 0

    async def bench(ctx):
        nonlocal checked
        ctx.set(dut.layer, instruction)
        ctx.set(dut.images, images)
        await ctx.tick().repeat(3)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        await ctx.tick()  # the controller waits for a half at least this long
        for number, (n, (address, x, y), _) in enumerate(wanted):
            while number % per_pass == 0 and not plan.dot and rng.random() < 0.3:
                await ctx.tick()
            assert (signed(ctx.get(dut.x)), signed(ctx.get(dut.y))) == (x, y)
            if address is not None:
                checked += 1
                assert ctx.get(dut.address) == address, f"line {number}"
            ctx.set(dut.step, 1)
            again = plan.packing > 1 and n == plan.tile_stride - 1 and not plan.layer.pointwise
            ctx.set(dut.again, int(again))
            ctx.set(dut.end_channel, int(n == lines - 1))
            to_0 = (plan.source.shape[0] - first_channel) * lines if first_channel else 0
            ctx.set(dut.wraps, int(to_0 > 0 and (number + 1) % per_pass == to_0))
            ctx.set(dut.end_pass, int((number + 1) % per_pass == 0))
            await ctx.tick()
            for port in (dut.step, dut.again, dut.end_channel, dut.wraps, dut.end_pass):
                ctx.set(port, 0)
            if (number + 1) % per_pass == 0 and not plan.dot:
                await ctx.tick()

    simulate(dut, bench)
    assert checked > len(wanted) // 3
