"""What ``spec2 prune --untrained`` does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hw.commands.console import progress, requires
from hw.util.errors import ConfigError

if TYPE_CHECKING:
    from hw.contract.artifact import Artifact
    from pruning.training.recipe import Recipe


def prune_untrained(
    what: str,
    out: Path,
    *,
    sparsity: str | None = None,
    block: int | None = None,
    weight_bits: int | None = None,
    layer_bits: dict[str, int] | None = None,
    spectrum_bits: int | None = None,
    seed: int | None = None,
    optimiser: str | None = None,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
) -> None:
    """An artifact with the masks of one projection: sparse like a trained network, good for nothing else.

    ``what``: a network's name, an ONNX file, or a recipe's file, whose entries count where an option is not
    given. ``mean``, ``std``: of the images that an ONNX file takes.
    """
    if optimiser is not None:
        raise ConfigError("--untrained prunes by one projection: leave --optimiser out")
    options = {
        "sparsity": sparsity,
        "block": block,
        "weight_bits": weight_bits,
        "spectrum_bits": spectrum_bits,
        "seed": seed,
    }
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if layer_bits:
        given["layer_bits"] = layer_bits
    with requires("torch"):
        from pruning.data import LOADERS
        from pruning.training import recipe
    if recipe.is_file(what):
        with requires("onnx"):  # where the network is such a file
            if Path(what).suffix.lower() == recipe.ONNX_SUFFIX:
                given["data"] = next(iter(LOADERS))  # which nobody looks at
            found = recipe.find(what, mean=mean, std=std, **given)
        if found.note:
            typer.echo(found.note, err=True)
        made = _of_recipe(found)
    else:
        if mean is not None or std is not None:
            raise ConfigError(f"--mean and --std are for ONNX files, and {what!r} is none: leave them out")
        made = _of_network(what, **given)
    made.save(out / "model.npz")


def _of_network(
    name: str,
    sparsity: str = "adaptive",
    block: int = 8,
    weight_bits: int = 8,
    layer_bits: dict[str, int] | None = None,
    spectrum_bits: int = 16,
    seed: int = 0,
) -> Artifact:
    from hw.contract.network import find_network

    network = find_network(name)
    with requires("torch"), progress("projecting and quantising"):
        from pruning.patterns import fully_connected, parse, pointwise
        from pruning.training.synthetic import synthetic

        return synthetic(
            network,
            parse(sparsity, block),
            fully_connected=fully_connected(sparsity, block),
            pointwise=pointwise(sparsity, block),
            seed=seed,
            weight_bits=weight_bits,
            layer_bits=layer_bits or {},
            spectrum_bits=spectrum_bits,
        )


def _of_recipe(recipe: Recipe) -> Artifact:
    """With the sets that the recipe gives its layers. Raises ``ConfigError`` where they are to be found."""
    for entry, what in (("target", "densities"), ("bits", "widths")):
        if getattr(recipe, entry) is not None:
            raise ConfigError(
                f"[{entry}] in recipe {recipe.name!r} finds {what} by training: leave it out, or --untrained"
            )
    with requires("torch"), progress("projecting and quantising"):
        from hw.contract.artifact import Sparsity
        from pruning.training.synthetic import synthetic

        targets = recipe.targets()
        sets = {layer.name: targets.sparsity(layer.name) for layer in recipe.network.layers}
        return synthetic(
            recipe.network,
            Sparsity(),
            seed=recipe.seed,
            weight_bits=recipe.weight_bits,
            layer_bits=recipe.layer_bits,
            spectrum_bits=recipe.spectrum_bits,
            layers=sets,
        )
