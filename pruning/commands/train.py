"""What ``spec2 prune`` does until there is a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hw.commands.console import progress, requires

if TYPE_CHECKING:
    from pruning.data import ImageSet
    from pruning.training.recipe import Recipe
    from pruning.training.run import PruneResult


def train(
    name: str,
    out: Path,
    *,
    target_cycles: int | None = None,
    lanes: int | None = None,
    mean_bits: float | None = None,
    images: str | None = None,
    data_dir: Path | None,
    threads: int | None = None,
    resume: bool = True,
    device: str = "cpu",
    tensorboard: bool = False,
    **changes: Any,
) -> tuple[PruneResult, ImageSet]:
    """Follow the recipe of that name, on ``images`` (the name of a set, or a file) where given; as
    :func:`follow`."""
    with requires("torch", "mlxtend"):
        from pruning.training.recipe import find, for_bits, for_cycles

    if images is not None:
        changes["data"] = images
    with requires("onnx"):  # where the network is such a file
        recipe = find(name, **changes)
    if target_cycles is not None:
        recipe = for_cycles(recipe, target_cycles, lanes)
    if mean_bits is not None:
        recipe = for_bits(recipe, mean_bits)
    return follow(
        recipe,
        out,
        data_dir=data_dir,
        threads=threads,
        resume=resume,
        device=device,
        tensorboard=tensorboard,
    )


def follow(
    recipe: Recipe,
    out: Path,
    *,
    data_dir: Path | None = None,
    threads: int | None = None,
    resume: bool = True,
    device: str = "cpu",
    tensorboard: bool = False,
) -> tuple[PruneResult, ImageSet]:
    """Follow a recipe; returns what it came to, and the images that it is measured on.

    Writes ``out/model.npz``. Raises ``typer.Exit`` in all but the first of several processes: that one
    measures and reports.
    """
    with requires("torch", "mlxtend"):
        import torch

        from pruning import data
        from pruning.training.device import CPU
        from pruning.training.precision import NO_BF16, effective
        from pruning.training.run import run

    if threads is not None:
        torch.set_num_threads(threads)
    precision = recipe.training.precision
    if device.split(":")[0] == CPU.type and effective(precision, CPU) != precision:
        typer.echo(NO_BF16, err=True)
    if recipe.note:
        typer.echo(recipe.note, err=True)
    with progress("training") as show:
        result = run(
            recipe,
            data_dir=data_dir,
            out=out,
            resume=resume,
            device=device,
            tensorboard=tensorboard,
            progress=lambda p: show(p.done, 1.0, p.describe()),
        )
    if not result.first:
        raise typer.Exit
    return result, data.load_for(recipe.network, recipe.data, data_dir)
