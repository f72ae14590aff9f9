"""Another model on an accelerator that exists: what it becomes, and everything that keeps it from it."""

from dataclasses import replace

import numpy as np
import pytest

from hw.compile.compiler import compile_program
from hw.compile.onto import onto
from hw.compile.stream_image import stream_image
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Dense, Network
from hw.contract.network.known import residual_stage
from hw.emit import emit
from hw.gateware.accelerator import Accelerator
from hw.util.errors import ConfigError
from tests.hw.another_model import another

CHAIN = Network(
    "chain",
    (3, 12, 12),
    (
        Conv("a", 3, 10, 3, padding=1, pool=2),
        Conv("b", 10, 9, 3, padding=1),
        Dense("c", 9 * 36, 5, relu=False),
    ),
)
GRAPH = Network(
    "graph", (3, 12, 12), (Conv("x", 3, 8, 3, padding=1), *residual_stage("s", "x", 8, 16, blocks=1))
)
STREAMED = {"rows": 4, "lanes": 2, "batch": 1, "stream_weights": True, "bus_bits": 64}
CASES = {
    "in step": (CHAIN, {}, {}),
    "ahead": (CHAIN, {"kind": "kernel"}, {}),
    "narrow": (CHAIN, {"spectrum_bits": 10, "layer_bits": {"b": 5}}, {}),
    "packed": (CHAIN, {"weight_bits": 6, "spectrum_bits": 11}, {"products": "packed"}),
    "graph": (GRAPH, {"kind": "dense"}, {"rows": 8}),
}


def base_of(name):
    network, weights, array = CASES[name]
    artifact = random_artifact(network, seed=3, **weights)
    return artifact, compile_program(artifact, AcceleratorConfig(**STREAMED | array))


@pytest.mark.parametrize("name", CASES)
def test_the_program_has_the_other_models_integers_and_as_many_steps(name):
    artifact, base = base_of(name)
    other = another(artifact)
    program = onto(base, other)
    assert program.run_ahead == (name == "ahead") and program.stream == base.stream
    assert program.digest == other.digest != base.digest and program.head_starts == base.head_starts
    added = 0
    for plan, new in zip(base.layers, program.layers, strict=True):
        held, table = other.layers[new.layer.name], new.steps
        np.testing.assert_array_equal(table.block_lengths, plan.steps.block_lengths)
        channel = table.steps.channel
        added += int((channel < 0).all(axis=1).sum() - (plan.steps.steps.channel < 0).all(axis=1).sum())
        # Every weight once, in the row of its output channel; nothing beside it.
        out = np.repeat(np.arange(plan.blocks), table.block_lengths)[:, None] * base.config.rows
        out = out + np.arange(base.config.rows)
        word = np.take_along_axis(table.steps.bank_words, np.maximum(channel, 0) % 8, axis=1)
        used = channel >= 0
        found = np.zeros((plan.blocks * base.config.rows, *held.weight.shape[1:]), int)
        np.add.at(found, (out[used], channel[used], word[used]), table.weight[used])
        np.testing.assert_array_equal(found[: plan.outputs], held.weight)
        assert not found[plan.outputs :].any() and not table.weight[~used].any()
        first = plan.first_drain_group
        biases = program.channel_bias[first:].ravel()[: plan.outputs]
        shifts = program.channel_shift[first:].ravel()[: plan.outputs] - base.drain_lift
        np.testing.assert_array_equal(biases, held.bias)
        np.testing.assert_array_equal(shifts, held.shift)
    assert added > 10, "no block was shorter than before"
    images = [stream_image(p) for p in (base, program)]
    assert len(images[0]) == len(images[1]) and images[0] != images[1]


@pytest.mark.parametrize("name", ["narrow", "graph"])
def test_the_accelerator_is_the_same_but_for_its_digest(name):
    artifact, base = base_of(name)
    first = emit(Accelerator(base), "spec2")
    second = emit(Accelerator(replace(onto(base, another(artifact)), digest=base.digest)), "spec2")
    assert first == second


def test_a_model_onto_its_own_accelerator_is_what_it_was():
    artifact, base = base_of("ahead")
    assert stream_image(onto(base, artifact)) == stream_image(base)


def test_a_regular_model_on_an_array_whose_rows_run_ahead():
    """Its steps have fields that it makes no use of."""
    artifact, _ = base_of("ahead")
    base = compile_program(artifact, AcceleratorConfig(**STREAMED, spare_steps=100))
    other = random_artifact(CHAIN, seed=5, density=0.125)
    assert base.run_ahead and not compile_program(other, AcceleratorConfig(**STREAMED)).run_ahead
    program = onto(base, other)
    assert program.run_ahead and program.stream == base.stream
    for table in program.step_tables:
        np.testing.assert_array_equal(table.as_run_ahead.end.all(axis=1), table.end_of_word)
        assert not table.as_run_ahead.of_next.any()


def changed(artifact, name, **fields):
    layers = dict(artifact.layers)
    layers[name] = replace(layers[name], **fields)
    return replace(artifact, layers=layers)


def refusal(base, other):
    with pytest.raises(ConfigError) as error:
        onto(base, other)
    return str(error.value)


def test_everything_that_keeps_a_model_from_it_is_named_at_once():
    _, base = base_of("narrow")
    other = another(random_artifact(CHAIN, seed=4, kind="dense", spectrum_bits=11))
    found = refusal(base, other)
    for reason in (
        "its spectra have 11 bits, the accelerator's 10",
        "layer 'b' has weights of 8 bits, more than 5",
        "the spectra of layer 'a' are cut otherwise",
        "layer 'c' takes",
    ):
        assert reason in found
    assert found.startswith("the model does not fit the accelerator of network 'chain': ")
    assert found.endswith(". Generate one of its own")


def test_longer_sums_and_shifts_are_refused():
    artifact, base = base_of("packed")
    longer = replace(base, longest=base.longest._replace(dot=3))
    assert "products, more than the accelerator's counters hold" in refusal(longer, artifact)
    held = artifact.layers["a"]
    lowest = held.weight.copy()
    lowest[tuple(np.argwhere(lowest)[0])] = -(1 << 5)
    assert "a weight of -32, for which packed" in refusal(base, changed(artifact, "a", weight=lowest))
    artifact, base = base_of("in step")
    few = replace(base, longest=base.longest._replace(word=1, dot=1))
    assert "products, more than" in refusal(few, artifact) and "bits hold" in refusal(few, artifact)
    artifact, base = base_of("narrow")
    short = np.zeros_like(artifact.layers["a"].shift)
    assert "its sums are shifted further" in refusal(base, changed(artifact, "a", shift=short))


def test_more_steps_are_refused_with_their_block():
    artifact, base = base_of("in step")
    held = another(artifact)
    weight = held.layers["b"].weight.copy()
    weight[4:8] = 1
    # All words of all channels, in two groups of eight: ten steps a word.
    found, was = refusal(base, changed(held, "b", weight=weight)), base.layers[1].steps.block_lengths[1]
    assert f"layer 'b' takes {10 * 32} steps in block 1, more than {was}" in found and was < 320


def test_another_network_is_refused():
    artifact, base = base_of("in step")
    for layers, what in (
        ((Conv("a", 3, 10, 5, padding=2, pool=2), *CHAIN.layers[1:]), "layers a differ"),
        ((CHAIN.layers[0], replace(CHAIN.layers[1], relu=False), CHAIN.layers[2]), "layers b differ"),
    ):
        other = random_artifact(replace(CHAIN, name="other", layers=layers))
        assert what in refusal(base, other) and "network 'other' is another one" in refusal(base, other)
    small = Network("small", (3, 12, 12), (Conv("a", 3, 10, 3, padding=1, pool=2),))
    assert "input or number of layers differ" in refusal(base, random_artifact(small))
    named = replace(CHAIN, layers=tuple(replace(layer, name=f"n{layer.name}") for layer in CHAIN.layers))
    other = another(artifact)
    renamed = replace(other, network=named, layers={f"n{k}": v for k, v in other.layers.items()}, sparsity={})
    assert onto(base, renamed).network.layers[0].name == "na"


def test_an_accelerator_that_holds_its_weights_takes_no_other():
    artifact = random_artifact(CHAIN)
    base = compile_program(artifact, AcceleratorConfig(4, 2, 1))
    assert "holds its weights" in refusal(base, artifact) and "--stream-weights" in refusal(base, artifact)


@pytest.mark.parametrize("name", ["in step", "ahead"])
def test_spare_steps_make_room_for_models_of_other_masks(name):
    """Two that were pruned apart: with adaptive masks no block has the steps of the other's."""
    network, weights, array = CASES[name]
    first, second = (random_artifact(network, seed=seed, **weights) for seed in (3, 4))
    tight = compile_program(first, AcceleratorConfig(**STREAMED | array))
    assert "steps in block" in refusal(tight, second)
    roomy = compile_program(first, AcceleratorConfig(**STREAMED | array, spare_steps=70))
    program = onto(roomy, second)
    for before, with_room, after in zip(tight.layers, roomy.layers, program.layers, strict=True):
        lengths = with_room.steps.block_lengths
        np.testing.assert_array_equal(lengths, np.ceil(before.steps.block_lengths * 1.7 - 1e-9))
        np.testing.assert_array_equal(after.steps.block_lengths, lengths)
        assert len(before.steps.word_lengths) == len(with_room.steps.word_lengths)
    assert roomy.longest.most > tight.longest.most and onto(roomy, first).stream == roomy.stream
