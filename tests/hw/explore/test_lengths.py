"""Steps without weights: the same lengths, clocks and resources as a model that has them."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.contract.artifact import Artifact, LayerWeights, Sparsity, random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network, tiny
from hw.cost.cycles import estimates
from hw.explore.lengths import Density, lengths_table, uniform_lengths
from hw.explore.workload import ModelWorkload, UniformWorkload
from hw.util.errors import ConfigError

NETWORK = Network(
    "even",
    (8, 21, 19),
    (
        Conv("a", 8, 16, 3, padding=1, pool=2),
        Conv("b", 16, 24, 3, padding=1, pool=2),
        Dense("c", 24 * 20, 40),
        Dense("d", 40, 5, relu=False),
    ),
)
"""Channels in whole groups of eight, so that an even mask is possible."""

CONFIGS = [
    AcceleratorConfig(8, 4, 4),
    AcceleratorConfig(16, 3, 1),
    AcceleratorConfig(8, 5, 2, stream_weights=True, bus_bits=64),
]


def even_artifact(keep=2, group=8):
    """Every word of every output keeps ``keep`` of ``group`` channels; the first layer keeps all."""
    layers = {}
    for layer, shape in zip(NETWORK.layers, NETWORK.inputs, strict=True):
        weight = np.ones(layer.weight_shape(shape), np.int16)
        if isinstance(layer, Dense):
            used = np.zeros(weight.shape[1:], bool)
            used[layer.word_index(shape)] = True
            weight[:, ~used] = 0
        if layer is not NETWORK.layers[0]:
            weight[:, np.arange(weight.shape[1]) % group >= keep] = 0
        outputs = len(weight)
        layers[layer.name] = LayerWeights(weight, np.zeros(outputs, np.int32), np.zeros(outputs, np.uint8))
    sparsity = {layer.name: Sparsity("uniform", keep, group) for layer in NETWORK.layers[1:]}
    return Artifact(NETWORK, layers, 8, sparsity, 1.0, {})


def figures(program):
    found = estimates(program)
    return {**found, "stream": program.config.stream_weights and program.stream.block_steps}


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("kind", ["adaptive", "kernel", "dense"])
def test_the_masks_of_a_model_give_its_own_figures(config, kind):
    artifact = random_artifact(tiny(), seed=3, kind=kind)
    found = ModelWorkload(artifact).program(config, artifact.weight_bits)
    assert figures(found) == figures(compile_program(artifact, config))


@pytest.mark.parametrize("config", CONFIGS)
def test_uniform_lengths_are_those_of_a_uniform_mask(config):
    artifact = even_artifact()
    network = UniformWorkload(NETWORK, Density(2, 8)).program(config, 8)
    masks = compile_program(artifact, config)
    for plan, other in zip(network.layers[:2], masks.layers, strict=False):
        np.testing.assert_array_equal(plan.steps.end_of_word, other.steps.end_of_word)
        np.testing.assert_array_equal(plan.steps.end_of_pass, other.steps.end_of_pass)


def test_the_same_clocks_where_all_layers_are_even():
    convolutions = Network("convolutions", NETWORK.input, NETWORK.layers[:2])
    whole = even_artifact()
    artifact = Artifact(convolutions, {k: whole.layers[k] for k in "ab"}, 8, whole.sparsity, 1.0, {})
    for config in CONFIGS:
        uniform = UniformWorkload(convolutions, Density()).program(config, 8)
        assert figures(uniform) == figures(compile_program(artifact, config))


@pytest.mark.parametrize("share", [0.1, 0.25, 1 / 3, 1.0])
def test_a_share_of_the_words_stays_evenly_and_none_is_empty(share):
    lengths = uniform_lengths(Conv("c", 20, 50, 3), (20, 9, 9), 16, share)
    assert lengths.shape == (4, 32)
    assert lengths.min() >= 1 and np.ptp(lengths) <= 1
    assert (lengths.sum(axis=1) == max(32, np.ceil(share * 32 * 20))).all()


def test_a_fully_connected_layer_counts_words_that_hold_pixels():
    """Behind 4×4 maps 8 of a channel's 32 words do; behind 1×1 maps one."""
    assert (uniform_lengths(Dense("c", 50 * 16, 500), (50, 4, 4), 64, 0.5) == 200).all()
    assert (uniform_lengths(Dense("c", 512, 10), (512, 1, 1), 8, 0.25) == [[128], [128]]).all()


@pytest.mark.parametrize("rows", [8, 12, 16])
def test_what_is_added_takes_a_step_for_each_group_of_channels_that_a_block_adds(rows):
    """Whatever share of the weights stays: a mask with one channel for every output, as it is compiled."""
    layer = Conv("sum", 12 + 20, 20, 3, padding=1, sources=("a", "stem"), added=True)
    network = Network(
        "added",
        (3, 6, 6),
        (Conv("stem", 3, 20, 3, padding=1), Conv("a", 20, 12, 3, padding=1), layer),
    )
    shape = network.inputs[2]
    weight = np.zeros(layer.weight_shape(shape), np.int16)
    weight[:, :12] = 1
    weight[np.arange(20), 12 + np.arange(20)] = 1
    dense = random_artifact(network, kind="dense")
    layers = dict(dense.layers) | {"sum": replace(dense.layers["sum"], weight=weight)}
    artifact = replace(dense, layers=layers, sparsity={"sum": Sparsity("uniform", 8, 8)})
    (*_, plan) = compile_program(artifact, AcceleratorConfig(rows, 2, 1)).layers
    lengths = uniform_lengths(layer, shape, rows, 1.0)
    np.testing.assert_array_equal(plan.steps.word_lengths, lengths.reshape(-1))
    thin = uniform_lengths(layer, shape, rows, 0.25)
    np.testing.assert_array_equal(lengths - thin, 9)


def test_a_table_without_weights_cannot_be_taken_for_one_with():
    table = lengths_table(np.array([[3, 0, 2], [0, 1, 1]]))
    assert table.word_lengths.tolist() == [2, 3, 1, 1, 1] and table.first_words.tolist() == [0, 2]
    assert np.flatnonzero(table.end_of_pass).tolist() == [4, 7]
    assert table.weight.size == table.select.size == 0


@pytest.mark.parametrize(("keep", "group"), [(0, 8), (-1, 8), (9, 8)])
def test_refuses_densities_that_make_no_sense(keep, group):
    with pytest.raises(ConfigError, match=f"at most the group of {group}, not {keep}"):
        Density(keep, group)
