"""The generator of random designs, and the comparison behind it."""

from dataclasses import replace

import numpy as np
import pytest

from hw.cost.cycles import run_cycles, total_cycles
from hw.host.counters import Counters, LayerCounters
from sim import model
from tests.designs.__main__ import check, on_amaranth
from tests.designs.generator import PATTERNS, design, masked

SMALL = 22
"""Seed of a design that takes few clocks."""


LEAKY = 20
"""Likewise: a graph of leaky ReLUs, with strides and a layer that reads two maps."""


def test_some_designs_have_leaky_relus():
    some = [design(seed) for seed in (LEAKY, 11, 8)]
    assert some[0].program.leaks == (3, 4, 7) and some[1].program.leaks == (6,)
    assert not design(SMALL).program.leaks
    assert some[2].program.mixes_signs and some[0].artifact.network.layers[0].stride == 2
    assert any(layer.pool == 2 for layer in some[1].artifact.network.layers)


def test_designs_reach_every_corner_and_are_the_same_every_time():
    some = [design(seed) for seed in (1, 3, 7, 15, 16, 25, 40, 47)]
    words = {word for one in some for word in one.parameters.split("|")[2].split()}
    assert {"held", "bands", "sections", "ahead", "store", "bus", "sets", "X11"} <= words
    assert len({word for word in words if word.startswith("streams")}) >= 2
    chains = [one.artifact.network for one in some[:-1]]
    layers = [layer for network in chains for layer in network.layers]
    assert {layer.relu for layer in layers} == {True, False}
    assert {(layer.dot, layer.pool) for layer in layers} == {(False, 1), (False, 2), (True, 1)}
    assert len({one.kind for design in some for one in design.artifact.sparsity.values()}) > 5
    # Graphs: of the last seed here and of two more.
    graphs = [design(seed).artifact.network for seed in (32, 38)] + [some[-1].artifact.network]
    assert not any(network.chain for network in graphs) and all(network.chain for network in chains)
    layers = [layer for network in graphs for layer in network.layers if not layer.dot]
    assert {layer.stride for layer in layers} == {1, 2} and any(layer.sources for layer in layers)
    assert any(layer.after != layer.padding for layer in layers)
    assert any(layer.added for layer in design(2).artifact.network.layers)
    again = design(some[3].seed)
    assert again.artifact.digest == some[3].artifact.digest and again.config == some[3].config
    np.testing.assert_array_equal(again.images, some[3].images)


@pytest.mark.parametrize("kind", PATTERNS)
def test_masks_keep_what_they_are_asked_for(kind):
    mask = masked(kind, (16, 24, 32), 0.25, np.random.default_rng(1))
    assert mask.shape == (16, 24, 32) and mask.dtype == bool
    assert mask.mean() == 1 if kind == "dense" else 0.1 < mask.mean() < 0.4


@pytest.mark.parametrize("seed", [SMALL, LEAKY])
def test_a_random_design_is_right_in_every_value_and_clock(tmp_path, seed):
    outcome = check(design(seed), on_amaranth, tmp_path)
    assert not outcome.failed, outcome.trouble
    assert outcome.values and outcome.counted


def results(one):
    """What a right accelerator answers and counts."""
    scores = model.run(one.artifact, one.images)
    batch, counters = one.config.batch, []
    for first in range(0, len(one.images), batch):
        images = min(batch, len(one.images) - first)
        layers = tuple(LayerCounters(x.name, x.cycles, x.steps) for x in run_cycles(one.program, images))
        zeros = {name: 0 for name in Counters.__dataclass_fields__ if name not in ("cycles", "layers")}
        counters.append(Counters(cycles=total_cycles(one.program, images), layers=layers, **zeros))
    return scores, tuple(counters)


def test_a_wrong_value_and_a_wrong_clock_are_failures(tmp_path):
    one = next(one for one in map(design, range(1, 30)) if not one.config.stream_weights)
    scores, counters = results(one)
    assert not check(one, lambda *_: [(scores, counters)], tmp_path).failed
    wrong = scores.copy()
    wrong[-1].flat[0] += 1
    assert check(one, lambda *_: [(scores, counters), (wrong, ())], tmp_path).wrong == 1
    late = (replace(counters[0], cycles=int(1.1 * counters[0].cycles) + 20), *counters[1:])
    assert "counted" in check(one, lambda *_: [(scores, late)], tmp_path).trouble[0]
    layers = (
        replace(counters[0].layers[0], cycles=counters[0].layers[0].cycles + 1),
        *counters[0].layers[1:],
    )
    off = (replace(counters[0], layers=layers), *counters[1:])
    assert check(one, lambda *_: [(scores, off)], tmp_path).failed

    def hangs(*_):
        raise AssertionError("m_axis: valid fell before ready")

    assert "valid fell" in check(one, hangs, tmp_path).trouble[0]
