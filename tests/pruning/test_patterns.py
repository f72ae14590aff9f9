"""Sparsity patterns: what the command line offers, the sets know and the artifact stores are the same."""

import subprocess
import sys
from dataclasses import astuple
from fractions import Fraction
from pathlib import Path

import pytest
import torch

from hw.compile.compiler import compile_program
from hw.contract import artifact, sparsity
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Conv, Network, tiny
from hw.util.errors import ConfigError
from pruning import MagnitudeConfig, NetworkModel, patterns, prune_, quantise_, sets, to_artifact
from pruning.training.synthetic import synthetic
from sim.commands.prune import prune

ROOT = Path(__file__).parents[2]
HELP = " ".join(prune.__doc__.split())


def test_every_pattern_has_a_set_and_the_help_names_it():
    assert list(sparsity.BY_NAME) == list(sets.SETS)
    assert {sparsity.BY_NAME[name].name for name in sparsity.BY_NAME} == {*sparsity.NAMES, "dense"}
    assert all(f"*{name}* {sparsity.BY_NAME[name].stays}" in HELP for name in sparsity.NAMES)


def test_ranks_tell_patterns_apart():
    assert len({one.rank for one in sparsity.PATTERNS}) == len(sparsity.PATTERNS) == len(sparsity.COMPARED)
    assert sparsity.COMPARED[0] == "dense"


def test_patterns_for_convolutions_are_those_that_sets_refuse_elsewhere():
    for name, one in sparsity.BY_NAME.items():
        assert sets.SETS[name].convolutions_only == (one.fully_connected is not None)
    for name in sparsity.NAMES:
        assert not sets.of(patterns.fully_connected(name)).convolutions_only


def test_the_sets_of_the_command_line_are_those_of_the_files_before():
    """Masks of a model file depend on these numbers, and so do its digest and every figure of a page."""
    quarters = {name: astuple(patterns.quarter(name, 64))[1:] for name in sparsity.NAMES}
    assert quarters == {
        "adaptive": (2, 8, 64),
        "uniform": (2, 8, 0),
        "kernel": (8, 32, 0),
        "unstructured": (8, 32, 0),
        "pattern": (8, 32, 8),
        "block": (8, 32, 64),
        "darb": (8, 32, 16),
        "filter": (16, 32, 0),
        "column": (8, 32, 0),
        "combined": (8, 32, 0),
        "row-column": (8, 32, 0),
    }


def test_the_makefile_asks_the_table_and_not_at_every_make():
    makefile = (ROOT / "Makefile").read_text()
    command = "$(shell $(BIN)/python -m hw.contract.sparsity)"
    assert f"SPARSITY_PATTERNS = {command}\n" in makefile, "lazily: = and not :="
    asked = [sys.executable, "-m", "hw.contract.sparsity"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == list(sparsity.COMPARED[1:])


@pytest.mark.parametrize("name", sparsity.NAMES)
def test_a_quarter_is_a_quarter(name):
    chosen = sets.of(patterns.quarter(name, 4))
    assert chosen.kind == name and chosen.share == Fraction(1, 2 if name == "filter" else 4)
    shared = {"adaptive": "block", "block": "rows"}.get(name)
    assert shared is None or getattr(chosen, shared) == 4


def test_an_unknown_pattern_is_one_sentence():
    with pytest.raises(ConfigError, match="'magic': choose adaptive"):
        patterns.quarter("magic")


@pytest.mark.parametrize("name", sparsity.NAMES)
def test_masks_hold_after_fine_tuning_export_and_reload(name, tiny_batch, tmp_path):
    """An optimiser that shakes every weight, then integers, then a file; conv1 and the channels stay."""
    model, network = NetworkModel(tiny()), tiny()
    chosen = patterns.quarter(name, 4)
    others = patterns.fully_connected(name, 4)
    config = MagnitudeConfig(layers={"conv1": None, "conv2": chosen, "fc1": others, "fc2": None})
    pruner = prune_(model, network, config)
    pruner.finalise()
    masks = {layer: module.mask.clone() for layer, module in pruner.layers.items()}
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
    for layer, mask in (("conv2", masks["conv2"][live]), ("fc1", masks["fc1"][:, live])):
        found = torch.from_numpy(loaded.layers[layer].mask)
        if layer == "conv2" and found.shape[1] < mask.shape[1]:
            mask = mask[:, mask.any(0).any(1)]  # inputs that no kernel reads are gone, too
        assert not (found & ~mask).any()
        assert found.sum() > 0.9 * mask.sum(), "few weights are rounded to zero"


CONVOLUTIONS = Network(
    "benchmark",
    (3, 18, 18),
    (Conv("a", 3, 16, 3, padding=1), Conv("b", 16, 16, 3, padding=1), Conv("c", 16, 16, 3, padding=1)),
)


@pytest.mark.parametrize("name", sparsity.NAMES)
def test_every_pattern_compiles_to_fewer_steps(name):
    """The step compiler takes every mask; what it makes of irregular ones is its own affair."""
    pruned = synthetic(CONVOLUTIONS, patterns.quarter(name))
    dense = synthetic(CONVOLUTIONS, artifact.Sparsity())
    config = AcceleratorConfig(8, 2, 1)
    steps = [len(compile_program(made, config).layers[1].steps) for made in (pruned, dense)]
    assert steps[0] < 0.7 * steps[1]
