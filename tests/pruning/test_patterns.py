"""Kinds by name: what the command line offers, the sets know and the artifact stores are the same."""

from fractions import Fraction

import pytest
import torch

import spec2
from hw.compile.compiler import compile_program
from hw.contract import artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, tiny
from hw.util.errors import ConfigError
from pruning import Chain, MagnitudeConfig, patterns, prune_, quantise_, sets, to_artifact
from pruning.training.synthetic import synthetic


def test_the_command_line_names_every_kind_that_the_sets_know():
    assert {*patterns.KINDS, "dense"} == set(sets.KINDS)
    assert all(f"*{kind}*" in spec2.prune.__doc__ for kind in patterns.KINDS)


def test_kinds_for_convolutions_are_those_that_sets_refuse_elsewhere():
    refused = [kind for kind in patterns.KINDS if sets.KINDS[kind].convolutions_only]
    assert sorted(refused) == sorted(patterns.CONVOLUTIONS_ONLY)
    for kind in patterns.KINDS:
        assert not sets.of(patterns.fully_connected(kind)).convolutions_only


@pytest.mark.parametrize("kind", patterns.KINDS)
def test_a_quarter_is_a_quarter(kind):
    chosen = sets.of(patterns.quarter(kind, 4))
    assert chosen.kind == kind and chosen.share == Fraction(1, 2 if kind == "filter" else 4)
    shared = {"adaptive": "block", "block": "rows"}.get(kind)
    assert shared is None or getattr(chosen, shared) == 4


def test_an_unknown_kind_is_one_sentence():
    with pytest.raises(ConfigError, match="'magic': choose adaptive"):
        patterns.quarter("magic")


@pytest.mark.parametrize("kind", patterns.KINDS)
def test_masks_hold_after_fine_tuning_export_and_reload(kind, tiny_batch, tmp_path):
    """An optimiser that shakes every weight, then integers, then a file; conv1 and the channels stay."""
    model, network = Chain(tiny()), tiny()
    chosen = patterns.quarter(kind, 4)
    others = patterns.fully_connected(kind, 4)
    config = MagnitudeConfig(layers={"conv1": None, "conv2": chosen, "fc1": others, "fc2": None})
    pruner = prune_(model, network, config)
    pruner.finalise()
    masks = {name: layer.mask.clone() for name, layer in pruner.layers.items()}
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(3):
        optimiser.zero_grad()
        model(tiny_batch).square().mean().backward()
        optimiser.step()
    quantise_(model, network, tiny_batch)
    stored = {layer.name: config.sparsity(layer.name) for layer in network.layers}
    exported = to_artifact(model, network, sparsity=stored)
    digest = exported.save(tmp_path / "model.npz")
    loaded = artifact.load(tmp_path / "model.npz")
    assert loaded.digest == digest and loaded.sparsity == stored
    live = masks["conv2"].any((1, 2)) if sets.of(chosen).removes_channels else torch.ones(10, dtype=bool)
    assert loaded.network.layers[1].out_channels == int(live.sum())
    for name, mask in (("conv2", masks["conv2"][live]), ("fc1", masks["fc1"][:, live])):
        found = torch.from_numpy(loaded.layers[name].mask)
        if name == "conv2" and found.shape[1] < mask.shape[1]:
            mask = mask[:, mask.any(0).any(1)]  # inputs that no kernel reads are gone, too
        assert not (found & ~mask).any()
        assert found.sum() > 0.9 * mask.sum(), "few weights are rounded to zero"


CONVOLUTIONS = Network(
    "bench",
    (3, 18, 18),
    (Conv("a", 3, 16, 3, padding=1), Conv("b", 16, 16, 3, padding=1), Conv("c", 16, 16, 3, padding=1)),
)


@pytest.mark.parametrize("kind", patterns.KINDS)
def test_every_kind_compiles_to_fewer_steps(kind):
    """The step compiler takes every mask; what it makes of irregular ones is its own affair."""
    pruned = synthetic(CONVOLUTIONS, patterns.quarter(kind))
    dense = synthetic(CONVOLUTIONS, artifact.Sparsity())
    config = AcceleratorConfig(8, 2, 1)
    steps = [len(compile_program(made, config).layers[1].steps) for made in (pruned, dense)]
    assert steps[0] < 0.7 * steps[1]
