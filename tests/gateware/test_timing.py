"""The cost model's latencies are the gateware's."""

import pytest
from amaranth.hdl import Fragment

from hw.artifact import random_artifact
from hw.compiler import compile_program
from hw.config import AcceleratorConfig
from hw.gateware.feature_memory import FeatureMemory
from hw.gateware.lane import Lane
from hw.gateware.output import Writer
from hw.gateware.post import RAW_BITS
from hw.network import tiny
from hw.timing import latencies


@pytest.mark.parametrize("line", [8, 16, 32, 64])
def test_cost_model_has_the_latencies_of_the_gateware(line):
    program = compile_program(random_artifact(tiny()), AcceleratorConfig(8, 2, 1, line_pixels=line))
    memory, lane, writer = FeatureMemory(line, 16), Lane(program), Writer(program, RAW_BITS)
    for block in (memory, lane, writer):
        Fragment.get(block, None)  # Amaranth warns of blocks that are never elaborated
    model = latencies(program.config)
    assert model.memory == memory.latency
    assert model.fill == lane.fill_latency
    assert model.array == lane.array_latency
    assert model.pass_full == lane.pass_latency
    assert model.reuse_lead == lane.reuse_lead
    assert model.tail == 1 + lane.output_latency + writer.latency + memory.write_latency
