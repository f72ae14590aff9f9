"""The cost model's latencies are the gateware's."""

import pytest
from amaranth.hdl import Fragment

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.latencies import latencies
from hw.contract.network import Conv, Network, tiny
from hw.contract.packed_products import PRODUCTS
from hw.gateware.core import Core

POINTWISE = Network("point", (3, 8, 8), (Conv("a", 3, 4, 1, pointwise=True),))


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize(
    ("network", "line", "bits"),
    [
        *((tiny(), *case) for case in ((8, 16), (16, 16), (32, 16), (64, 16), (16, 11), (32, 9))),
        (POINTWISE, 16, 11),
    ],
)
def test_cost_model_has_the_latencies_of_the_gateware(network, line, bits, products):
    config = AcceleratorConfig(8, 2, 1, line_pixels=line, products=products)
    program = compile_program(random_artifact(network, weight_bits=6, spectrum_bits=bits), config)
    core = Core(program)
    Fragment.get(core, None)
    memory, lane = core.memory, core.lanes[0]
    model = latencies(program.config, program.narrow, program.overlaps, program.pointwise)
    assert model.memory == memory.latency
    assert model.fill == lane.fill_latency
    assert model.array == lane.array_latency
    assert model.pass_full == lane.pass_latency
    assert model.reuse_lead == lane.reuse_lead
    assert (model.front_tail, model.middle_tail, model.tail) == (
        core.front_tail,
        core.middle_tail,
        core.back_tail,
    )
