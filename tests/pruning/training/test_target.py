"""Densities for a number of clocks, up to the compiled design."""

import dataclasses
import json

import pytest
import torch
from msgspec.structs import replace

from hw.compile.compiler import compile_program
from hw.contract.config import AcceleratorConfig
from hw.contract.network import tiny
from hw.cost.cycles import total_cycles
from hw.util.errors import ConfigError
from pruning import NetworkModel, prune_, quantise_, to_artifact
from pruning.training.recipe import Recipe, for_cycles
from pruning.training.sensitivity import mean_loss, scan
from pruning.training.target import FILE_NAME, find_densities, ladder, layer_clocks
from pruning.training.train import Labelled

RECIPE = Recipe("tiny", tiny(), data="mnist", block=4)
CONFIG = AcceleratorConfig(rows=4, lanes=2, batch=1)


@pytest.fixture
def data(tiny_batch):
    labels = torch.arange(len(tiny_batch)) % 5
    return Labelled((tiny_batch * 255).round().byte(), labels.byte())


def test_a_compiled_design_takes_as_many_clocks_as_were_asked_for(data, tiny_batch, tmp_path):
    clocks, rest = layer_clocks(tiny(), CONFIG, ["conv2", "fc1"])
    shares = list(clocks)
    least, most = (
        rest + sum(clocks[share][n] for n in ("conv2", "fc1")) for share in (shares[-1], shares[0])
    )
    target = (least + most) // 2
    model = NetworkModel(tiny())
    recipe = for_cycles(RECIPE, target, lanes=2)
    found = find_densities(recipe, recipe.target, model, data, tmp_path)
    assert found.target is None and set(found.layers) == {"conv2", "fc1"}
    log = json.loads((tmp_path / FILE_NAME).read_text())
    assert log["chosen"] == found.layers and log["clocks_of_other_layers"] == rest
    prune_(model, tiny(), found.targets()).finalise()
    quantise_(model, tiny(), tiny_batch)
    program = compile_program(to_artifact(model, tiny(), sparsity=sparsity(found)), CONFIG)
    # Blocks of real masks may have a step more than the even words of the cost model.
    assert total_cycles(program, 1) <= 1.05 * target
    with pytest.raises(ConfigError, match="more than the target of"):
        find_densities(recipe, for_cycles(RECIPE, least - 1, lanes=2).target, NetworkModel(tiny()), data)


def sparsity(recipe):
    targets = recipe.targets()
    return {layer.name: targets.sparsity(layer.name) for layer in recipe.network.layers}


def test_a_scan_measures_one_layer_at_a_time_and_leaves_nothing_behind(data):
    model = NetworkModel(tiny())
    before = mean_loss(model, data, "float32", 16)
    options = {name: RECIPE.targets().sparsity("conv2") for name in ("conv2", "fc1")}
    sparse = {
        name: [dataclasses.replace(one, keep=8), one, dataclasses.replace(one, keep=0.5)]
        for name, one in options.items()
    }
    heard = []
    losses = scan(model, tiny(), data, sparse, report=lambda *event: heard.append(event))
    assert heard == [(n, 6, "conv2" if n < 3 else "fc1") for n in range(6)]
    for found in losses.values():
        assert found[0] == pytest.approx(0, abs=1e-5) and found[1] != found[2]
    assert mean_loss(model, data, "float32", 16) == pytest.approx(before, abs=1e-5)


def test_ladders_have_what_the_kind_has():
    adaptive, uniform = (ladder(replace(RECIPE, sparsity=kind).targets().sparsity("conv2"), 4)
                         for kind in ("adaptive", "uniform"))  # fmt: skip
    assert next(iter(adaptive.values())) == "dense" and "adaptive-3:16" in adaptive.values()
    assert "uniform-1:8" in uniform.values() and "uniform-3:16" not in uniform.values()
