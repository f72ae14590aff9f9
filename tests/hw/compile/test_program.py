"""The compiled program computes what the artifact says, for any N, P and kind of mask."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.lane_layout import GroupWork, lane_layout
from hw.compile.step_table import step_table
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, lenet, tiny
from hw.cost.cycles import total_cycles
from hw.util.errors import ConfigError

CONFIGS = [AcceleratorConfig(8, 4, 4), AcceleratorConfig(4, 2, 1), AcceleratorConfig(16, 6, 3)]
KINDS = ["dense", "kernel", "adaptive"]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
def test_steps_hold_every_weight_once(config, kind):
    artifact = random_artifact(tiny(), seed=1, kind=kind)
    for plan in compile_program(artifact, config).layers:
        weight = artifact.layers[plan.layer.name].weight.astype(int)
        seen = np.zeros_like(weight)
        block, fresh = 0, True
        for t in range(len(plan.steps)):
            for row in range(config.rows):
                bank = plan.steps.select[t, row]
                channel = plan.steps.groups[t, bank] * 8 + bank
                value = plan.steps.weight[t, row]
                if value.any():
                    ahead = plan.steps.as_run_ahead
                    word = (ahead.next_word if ahead.of_next[t, bank] else plan.steps.word)[t]
                    seen[block * config.rows + row, channel, word] += value
            fresh = bool(plan.steps.end_of_pass[t])
            block += fresh
        assert fresh and block == plan.blocks
        assert (seen == weight).all()


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("streamed", [False, True])
def test_steps_of_pointwise_convolutions_serve_every_word(config, kind, streamed):
    """Those that the design holds are stored for each pair of a tile's pixels, others once."""
    layers = Conv("a", 11, 19, 1, pointwise=True), Conv("b", 19, 6, 1, pointwise=True, pool=2)
    artifact = random_artifact(Network("point", (11, 20, 11), layers), seed=1, kind=kind)
    program = compile_program(artifact, replace(config, stream_weights=streamed))
    assert program.repeats == streamed
    for plan in program.layers:
        weight, table = artifact.layers[plan.layer.name].weight[:, :, 0].astype(int), plan.steps
        words = 4 * plan.rows_made
        assert plan.words == words and plan.repeated == streamed and plan.rows_made % plan.layer.step == 0
        seen = np.zeros((1 if streamed else words, *weight.shape), int)
        ends = np.flatnonzero(table.end_of_pass) + 1
        for block, steps in enumerate(np.split(np.arange(len(table)), ends[:-1])):
            order = table.word[steps]
            assert (np.diff(order) >= 0).all() and set(order) == set(range(len(seen)))
            assert table.end_of_word[steps].sum() == len(seen)
            for t in steps:
                for row in range(min(config.rows, len(weight) - block * config.rows)):
                    bank = table.select[t, row]
                    if table.weight[t, row].any():
                        channel = table.groups[t, bank] * 8 + bank
                        seen[table.word[t], block * config.rows + row, channel] += table.weight[t, row]
        np.testing.assert_array_equal(seen, np.broadcast_to(weight, seen.shape))


def test_a_line_too_short_for_a_stride_is_refused():
    """A tile that takes every second pixel reaches over 16 of them."""
    layers = (Conv("plain", 3, 4, 3), Conv("half", 4, 2, 1, stride=2, pointwise=True))
    artifact = random_artifact(Network("short", (3, 20, 20), layers))
    with pytest.raises(
        ConfigError, match="line_pixels 8 is less than a tile's 16 in layer 'half': raise it to 16"
    ):
        compile_program(artifact, AcceleratorConfig(4, 2, 1, line_pixels=8))
    assert compile_program(artifact, AcceleratorConfig(4, 2, 1, line_pixels=16)).config.line_pixels == 16


@pytest.mark.parametrize("kind", KINDS)
def test_words_of_a_pass_end_once_each(kind):
    artifact = random_artifact(tiny(), seed=2, kind=kind)
    for plan in compile_program(artifact, CONFIGS[0]).layers:
        ends = plan.steps.word[plan.steps.end_of_word]
        per_pass = plan.steps.end_of_pass.sum()
        if plan.dot:
            assert plan.steps.end_of_word.sum() == per_pass
        else:
            last = np.flatnonzero(plan.steps.end_of_pass[plan.steps.end_of_word]) + 1
            weight = artifact.layers[plan.layer.name].weight
            for block, words in enumerate(np.split(ends, last[:-1])):
                used = weight[block * 8 : block * 8 + 8].any(axis=(0, 1, 3))
                used[0] = True  # brings the bias
                assert sorted(words.tolist()) == np.flatnonzero(used).tolist()
                if plan.steps.run_ahead is None:
                    assert (words[1:] == np.sort(words[1:])).all()
            assert len(last) == per_pass


@pytest.mark.parametrize("kind", KINDS)
def test_a_pass_begins_with_its_shortest_word(kind):
    config = CONFIGS[0]
    for plan in compile_program(random_artifact(tiny(), seed=2, kind=kind), config).layers:
        if plan.steps.run_ahead:
            continue  # in an order of its own
        ends = np.flatnonzero(plan.steps.end_of_word)
        lengths = np.diff(ends, prepend=-1)
        passes = np.split(lengths, np.flatnonzero(plan.steps.end_of_pass[ends])[:-1] + 1)
        assert all(words[0] == words.min() for words in passes)


def test_maps_do_not_overlap_while_both_are_in_use():
    program = compile_program(random_artifact(lenet(), kind="dense"), AcceleratorConfig())
    for plan in program.layers:
        used = [range(m.base, m.base + program.config.batch * m.lines) for m in (plan.source, plan.dest)]
        assert used[0].stop <= used[1].start or used[1].stop <= used[0].start
        assert max(u.stop for u in used) <= program.memory_lines


def test_lanes_lie_so_that_the_slowest_stage_takes_fewest_clocks():
    layer, shape, line = Conv("c", 3, 4, 3, padding=1), (3, 29, 41), 64
    rows, columns = layer.tiles(shape)
    # Bound by the array, by the output and by the fetch: groups count, then lane rows cost.
    for work in (GroupWork(1000, 1), GroupWork(1, 1), GroupWork(1, 8)):
        for lanes in range(1, 41):
            clocks = {}
            for r in range(1, min(rows, lanes) + 1):
                for q in range(1, min(columns, lanes // r, (line - 8) // 6 + 1) + 1):
                    lines = 8 if q == columns and q * 6 + 2 <= line // r else (r - 1) * 6 + 8
                    slowest = max(work.array, 3 * lines * work.fetches, 4 * max(8, 6 * r))
                    clocks[r, q] = -(-rows // r) * -(-columns // q) * slowest
            layout = lane_layout(layer, shape, lanes, line, work)
            assert clocks[layout.rows, layout.columns] == min(clocks.values())


def test_more_lanes_never_take_more_clocks():
    """A layout of fewer tile groups but many lane rows would wait for its output."""
    artifact = random_artifact(vgg_block(), seed=1, kind="adaptive")
    cycles = [
        total_cycles(compile_program(artifact, AcceleratorConfig(8, lanes, 1)), 1) for lanes in range(1, 26)
    ]
    assert all(after <= 1.02 * before for before, after in pairwise(cycles))
    assert cycles[-1] < cycles[0] / 2


def vgg_block():
    return Network("block", (8, 76, 76), (Conv("a", 8, 16, 3, padding=1), Conv("b", 16, 16, 3, padding=1)))


def test_lenet_fills_four_lanes_in_both_convolutions():
    program = compile_program(random_artifact(lenet()), AcceleratorConfig())
    assert [(p.lane_rows, p.lane_columns) for p in program.layers[:2]] == [(2, 2), (2, 2)]
    assert [p.group_rows * p.group_columns for p in program.layers[:2]] == [9, 1]


def test_accumulators_hold_the_worst_sum():
    program = compile_program(random_artifact(lenet(), kind="dense", weight_bits=8), AcceleratorConfig())
    # fc1: 400 words of two 8-bit pixels, pre-added to 17 bits, times 9-bit sums.
    assert program.accumulator_bits == 17 + 9 + 9


def test_narrow_spectra_have_narrower_sums():
    artifact = random_artifact(lenet(), kind="dense", weight_bits=8, spectrum_bits=11)
    program = compile_program(artifact, AcceleratorConfig())
    assert program.accumulator_bits == 12 + 9 + 9
    assert [plan.word_shift for plan in program.layers] == [
        tuple(artifact.layers[layer.name].word_shift.tolist()) for layer in artifact.network.layers
    ]
    assert not any(program.layers[2].word_shift), "fully connected: pixels as they are"


def test_the_drain_lifts_sums_by_as_much_as_any_word_is_cut_more_than_they_are_shifted():
    artifact = random_artifact(tiny(), seed=1, spectrum_bits=9)
    shifts = {"conv1": 3, "conv2": 9, "fc1": 0, "fc2": 2}
    layers = {
        name: replace(w, shift=np.full_like(w.shift, shifts[name])) for name, w in artifact.layers.items()
    }
    program = compile_program(replace(artifact, layers=layers), AcceleratorConfig())
    lift = int(artifact.layers["conv1"].word_shift.max()) - 3
    assert program.drain_lift == lift >= 3
    held = program.channel_shift.ravel()[: tiny().layers[0].outputs]
    assert (held == 3 + lift).all() and program.shift_bits == 5


def test_empty_words_take_no_step_but_word_0_which_brings_the_bias():
    artifact = random_artifact(tiny(), kind="dense")
    weights = artifact.layers["conv1"]
    weights.weight[...] = 0
    table = step_table(weights, 4, dot=False)
    assert len(table) == 3 and table.end_of_word.all() and table.end_of_pass.all()
    assert not table.word.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": 6}, "rows must be a multiple of 4, and of 8 from 32 on, from 4 to 248, not 6"),
        ({"rows": 0}, "rows must be a multiple"),
        ({"lanes": 0}, "lanes must be 1..64, not 0"),
        ({"batch": 5}, r"batch must be 1..4 .*, not 5: lower it or raise lanes"),
        ({"line_pixels": 12}, "line_pixels must be 0 or a power of two"),
    ],
)
def test_refuses(change, message):
    with pytest.raises(ConfigError, match=message):
        AcceleratorConfig(**({"rows": 8, "lanes": 4, "batch": 4} | change))
