"""Densities for a number of clocks: what each layer keeps follows from what it loses per clock saved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from fractions import Fraction
from pathlib import Path

import msgspec
from msgspec.structs import replace
from torch import nn

from hw.contract.artifact import Sparsity
from hw.contract.config import AcceleratorConfig
from hw.contract.network import Network
from hw.cost.cycles import run_cycles, total_cycles
from hw.explore.workload import DensityWorkload
from hw.util.errors import ConfigError
from pruning import patterns, sets
from pruning.training.allocate import Option, allocate
from pruning.training.log import write_search_log
from pruning.training.recipe import Recipe
from pruning.training.sensitivity import scan
from pruning.training.settings import Target
from pruning.training.train import Labelled

LADDER = tuple(Fraction(n, 16) for n in (16, 12, 8, 6, 4, 3, 2, 1))
"""Shares of a layer's words to choose from."""

FILE_NAME = "sensitivity.json"


def find_densities(
    recipe: Recipe,
    target: Target,
    model: nn.Module,
    data: Labelled,
    out: Path | None = None,
    report: Callable[[int, int, str], None] | None = None,
) -> Recipe:
    """``recipe`` without its target, but with a density for every layer that it prunes.

    By the cost model a run of them takes ``target.cycles`` at most.

    ``model`` is the trained dense network. Writes what was measured to ``out/sensitivity.json``: per layer
    the clocks and the loss of every density, and which was chosen. Raises ``ConfigError`` for a target that
    no density of :data:`LADDER` reaches.
    """
    targets = recipe.targets()
    pruned = [layer.name for layer in recipe.network.layers if targets.sparsity(layer.name).kind != "dense"]
    schemes = {name: ladder(targets.sparsity(name), recipe.block) for name in pruned}
    options = {
        name: [patterns.parse(scheme, recipe.block) for scheme in found.values()]
        for name, found in schemes.items()
    }
    config = AcceleratorConfig(rows=target.rows, lanes=target.lanes, batch=1)
    clocks, fixed = layer_clocks(recipe.network, config, pruned)
    few = data.first(target.images)
    losses = scan(model, recipe.network, few, options, precision=recipe.training.precision, report=report)
    table = {
        name: [
            Option(scheme, clocks[share][name], loss)
            for (share, scheme), loss in zip(schemes[name].items(), losses[name], strict=True)
        ]
        for name in pruned
    }
    chosen = allocate(table, target.cycles, fixed)
    measured = {
        "target": msgspec.to_builtins(target),
        "clocks_of_other_layers": fixed,
        "layers": {name: [asdict(option) for option in found] for name, found in table.items()},
        "chosen": {name: option.scheme for name, option in chosen.items()},
    }
    if out is not None:
        write_search_log(out / FILE_NAME, measured)
    return replace(recipe, target=None, layers={**recipe.layers, **measured["chosen"]})


def ladder(sparsity: Sparsity, block: int) -> dict[Fraction, str]:
    """Schemes of that pattern by share, dense first; those that the pattern has not are left out."""
    found = {LADDER[0]: "dense"}
    for share in LADDER[1:]:
        scheme = f"{sparsity.kind}-{share.numerator}:{share.denominator}"
        try:
            sets.check(patterns.parse(scheme, block))
        except ConfigError:
            continue
        found[share] = scheme
    return found


def layer_clocks(
    network: Network, config: AcceleratorConfig, pruned: list[str]
) -> tuple[Mapping[Fraction, Mapping[str, int]], int]:
    """Clocks of every layer by share, as the cost model has them, and those of all that is not ``pruned``."""
    clocks, rest = {}, 0
    for share in LADDER:
        shares = dict.fromkeys(pruned, float(share))
        program = DensityWorkload(network, shares, "a ladder of densities").program(config, 8)
        clocks[share] = {layer.name: layer.cycles for layer in run_cycles(program, 1)}
        rest = total_cycles(program, 1) - sum(clocks[share][name] for name in pruned)
    return clocks, rest
