"""How many blocks share a forward transform: few weights gain by it, and nobody loses."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile import block_sets
from hw.compile.compiler import compile_program
from hw.compile.lane_layout import GroupWork, LaneLayout
from hw.compile.step_format import StepFormat
from hw.compile.weight_stream import StepUnits
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, tiny, vgg16
from hw.contract.spectrum import WORDS
from hw.cost.cycles import total_cycles
from hw.explore.lengths import Density, lengths_table
from hw.explore.workload import UniformWorkload
from hw.util.errors import ConfigError

BOARD = AcceleratorConfig(64, 10, 1, stream_weights=True, bus_bits=1024, memories=2, memory_lines=49152)


def in_sets_of(size, monkeypatch):
    """Every layer takes sets of ``size`` blocks, or of the largest divisor below that."""

    def choose(self, layer, shape, table, work, layout, width):
        blocks = len(table.block_lengths)
        return max(n for n in range(1, size + 1) if blocks % n == 0)

    monkeypatch.setattr(block_sets.SetSizes, "choose", choose)


def sizes(program):
    return {plan.layer.name: plan.blocks_per_transform for plan in program.layers if plan.weights_stay}


SETS = {
    0.5: {"conv2_2": 2, "conv3_2": 4, "conv4_1": 8, "conv4_2": 4},
    1: {"conv2_2": 2, "conv3_2": 4, "conv4_1": 4, "conv4_2": 2},
    2: {"conv2_2": 2, "conv3_2": 2, "conv4_1": 2, "conv4_2": 1},
}
"""By weights of 8 that are kept. The array is full as soon as a set has two of them, and larger sets leave
the next layer time to be fetched: that pays where a layer has few tile groups."""


@pytest.mark.parametrize(("keep", "least"), [(1, 1.4), (0.5, 1.4), (2, 0.98)])
def test_half_the_weights_take_two_thirds_of_the_clocks(keep, least, monkeypatch):
    """The layers of VGG16 that transforms bind at 1 of 8 run twice as fast in sets of two blocks; nothing is
    much slower than with one block, or than with any other number for all."""
    workload = UniformWorkload(vgg16(), Density(keep, 8))
    program = workload.program(BOARD, 8)
    chosen = total_cycles(program, 1)
    found = sizes(program)
    assert {name: found[name] for name in SETS[keep]} == SETS[keep]
    clocks = {}
    for size in (1, 2, 4, 8):
        with monkeypatch.context() as patched:
            in_sets_of(size, patched)
            clocks[size] = total_cycles(workload.program(BOARD, 8), 1)
    assert chosen <= 1.02 * min(clocks.values())
    assert clocks[1] >= least * chosen


@pytest.mark.parametrize(
    "network", [tiny(), Network("w", (8, 20, 20), (Conv("a", 8, 40, 3), Conv("b", 40, 24, 3)))]
)
@pytest.mark.parametrize("density", [0.05, 0.125, 0.25, 0.9])
@pytest.mark.parametrize("rows", [4, 8])
def test_no_network_is_slower_than_with_one_block(network, density, rows, monkeypatch):
    artifact = random_artifact(network, seed=1, density=density)
    config = AcceleratorConfig(rows, 4, 2, stream_weights=True, bus_bits=128)
    program = compile_program(artifact, config)
    in_sets_of(1, monkeypatch)
    assert total_cycles(program, 2) <= 1.02 * total_cycles(compile_program(artifact, config), 2)


def test_a_weight_buffer_that_holds_a_block_is_never_refused_for_a_set(monkeypatch):
    artifact = random_artifact(Network("w", (16, 20, 20), (Conv("a", 16, 64, 3),)), seed=1, density=0.125)
    taken = {}
    for single in (False, True):
        if single:
            in_sets_of(1, monkeypatch)
        for steps in (1 << n for n in range(4, 12)):
            config = AcceleratorConfig(8, 4, 1, stream_weights=True, bus_bits=64, weight_steps=steps)
            try:
                taken[steps, single] = sizes(compile_program(artifact, config))
            except ConfigError:
                taken[steps, single] = None
    accepted = [steps for (steps, single), found in taken.items() if single and found]
    assert all(taken[steps, False] for steps in accepted)
    # The larger the buffer, the larger the sets; the smallest one holds a single block.
    found = [taken[steps, False]["a"] for steps in sorted(accepted)]
    assert found == sorted(found) and found[0] == 1 and found[-1] > 1


def test_the_buffer_holds_whole_sets():
    program = UniformWorkload(vgg16(), Density(1, 8)).program(BOARD, 8)
    largest = max(
        plan.steps.block_lengths.reshape(-1, plan.blocks_per_transform).sum(axis=1).max()
        for plan in program.layers
        if plan.weights_stay
    )
    assert program.stream.most == largest == 4096
    smaller = replace(program, config=replace(program.config, weight_steps=4096))
    with pytest.raises(ConfigError, match="weight_steps 4096 is less than"):
        _ = smaller.stream


def test_larger_sets_may_be_shorter_than_smaller_ones():
    """Of six blocks the two long ones are a pair, and in different triples."""
    lengths = np.tile(np.array([[1], [1], [100], [100], [1], [1]]), WORDS)
    step = StepFormat(8, 8, 1, False)
    layer, table = Conv("a", 8, 48, 3), lengths_table(lengths)
    longest = table.block_lengths.reshape(-1, 3).sum(axis=1).max()
    assert longest < table.block_lengths.reshape(-1, 2).sum(axis=1).max()
    sizes = block_sets.SetSizes(step, StepUnits.of(step, [8], 1024), int(longest), 1 << 20)
    # The transform binds, so that every block that shares it saves clocks.
    work, layout = GroupWork(1, 6), LaneLayout(9, 1)
    assert sizes.choose(layer, (8, 200, 200), table, work, layout, 8) == 3


def test_weights_on_chip_need_no_sets():
    program = compile_program(random_artifact(tiny(), density=0.125), AcceleratorConfig(4, 4, 2))
    assert all(plan.blocks_per_transform == plan.blocks for plan in program.layers)
    assert not sizes(program)
