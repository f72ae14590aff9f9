"""The weight memory: every step in order, at any pace of taking, rewound for every tile group."""

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network
from hw.gateware.primitives.micro_instruction import step_layout
from hw.gateware.weights.weight_memory import WeightMemory, step_bits

NETWORK = Network("small", (9, 8, 8), (Conv("a", 9, 4, 3), Dense("b", 4 * 36, 5, relu=False)))


def program(kind="kernel"):
    return compile_program(random_artifact(NETWORK, seed=4, kind=kind), AcceleratorConfig(4, 2, 2))


def words(compiled):
    """The memory's contents, an integer per step."""
    packed = np.packbits(step_bits(compiled), axis=1, bitorder="little")
    return [int.from_bytes(word.tobytes(), "little") for word in packed]


@pytest.mark.parametrize("kind", ["dense", "kernel"])
def test_image_decodes_to_the_step_table(kind):
    compiled = program(kind)
    assert compiled.run_ahead == (kind == "kernel")
    layout, image = step_layout(compiled.step_format), words(compiled)
    assert max(image).bit_length() <= layout.size
    for plan in compiled.layers:
        for t in range(len(plan.steps)):
            step = layout.from_bits(image[plan.first_step + t])
            assert step.word == plan.steps.word[t]
            assert step.end_of_word == plan.steps.end_of_word[t]
            assert step.end_of_pass == plan.steps.end_of_pass[t]
            for bank in range(8):
                assert step.groups[bank if compiled.run_ahead else 0] == plan.steps.groups[t, bank]
            if compiled.run_ahead:
                ahead = plan.steps.as_run_ahead
                assert step.next_word == ahead.next_word[t]
                assert [step.of_next >> bank & 1 for bank in range(8)] == ahead.of_next[t].tolist()
                assert [step.rows[row].end for row in range(4)] == ahead.end[t].tolist()
            for row in range(4):
                assert step.rows[row].select == plan.steps.select[t, row]
                parts = [int(step.bit_planes[7] >> 2 * row + part & 1) * -128 for part in range(2)]
                for plane in range(7):
                    for part in range(2):
                        parts[part] += int(step.bit_planes[plane] >> 2 * row + part & 1) << plane
                assert parts == plan.steps.weight[t, row].tolist()


@pytest.mark.parametrize("pace", [1.0, 0.4])
def test_streams_and_rewinds(simulate, pace):
    compiled = program()
    dut, image = WeightMemory(compiled), words(compiled)
    rng, seen = np.random.default_rng(1), {0: [], 1: []}

    async def bench(ctx):
        for layer in (0, 1, 0):
            ctx.set(dut.layer, layer)
            await ctx.tick().repeat(3)
            ctx.set(dut.rewind, 1)
            await ctx.tick()
            ctx.set(dut.rewind, 0)
            seen[layer].clear()
            plan = compiled.layers[layer]
            while len(seen[layer]) < 2 * len(plan.steps) + 5:  # two tile groups and the start of a third
                ready = rng.random() < pace
                taken = ready and ctx.get(dut.ends.valid)
                ctx.set(dut.ends.ready, int(taken))
                ends = ctx.get(dut.ends.payload.as_value())
                await ctx.tick()
                if taken:
                    seen[layer].append(ctx.get(dut.step.as_value()))
                    step = ctx.get(dut.step)
                    rows = [row.end for row in step.rows]
                    assert ends == sum(
                        bit << i for i, bit in enumerate([step.end_of_word, step.end_of_pass, *rows])
                    )
            ctx.set(dut.ends.ready, 0)

    simulate(dut, bench)
    for layer, plan in enumerate(compiled.layers):
        played = image[plan.first_step : plan.first_step + len(plan.steps)]
        assert seen[layer] == played + played + played[:5]
