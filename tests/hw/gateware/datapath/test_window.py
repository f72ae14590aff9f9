"""The window's sign: that of the layer before in the network, wherever layers without ReLU stand in bands."""

from dataclasses import replace
from itertools import product

import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.gateware.datapath.window import Window
from tests.sim.bench.accelerators import NETWORKS

BANDS = compile_program(
    random_artifact(NETWORKS["signs"], seed=7, kind="adaptive"),
    AcceleratorConfig(4, 2, 1, 16, memory_lines=270),
)


def with_relus(relus):
    """The program of the network whose layers have a ReLU or none."""
    network = replace(
        BANDS.network,
        layers=tuple(
            replace(layer, relu=relu) for layer, relu in zip(BANDS.network.layers, relus, strict=True)
        ),
    )
    plans = tuple(replace(plan, layer=network.layers[plan.number]) for plan in BANDS.layers)
    return replace(BANDS, network=network, layers=plans)


@pytest.mark.parametrize("relus", list(product([False, True], repeat=6)))
def test_a_pixel_is_signed_where_the_layer_before_has_no_relu(simulate, relus):
    dut, found = Window(with_relus(relus), 0), []

    async def bench(ctx):
        ctx.set(dut.pixels, [200] * 16)
        ctx.set(dut.mask, (1 << 16) - 1)
        ctx.set(dut.inside, 1)
        for entry in range(len(BANDS.layers)):
            ctx.set(dut.layer, entry)
            await ctx.tick().repeat(3)
            found.append(ctx.get(dut.window[0]))

    simulate(dut, bench)
    assert BANDS.numbers == (0, 1, 2, 3, 2, 3, 2, 3, 3, 4, 5, 4, 5, 4, 5, 5)
    signed = [number > 0 and not relus[number - 1] for number in BANDS.numbers]
    assert found == [200 - 256 if sign else 200 for sign in signed]
