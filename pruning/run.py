"""Follow a recipe from nothing to ``model.npz``: the job behind ``spec2 prune``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.errors import ConfigError
from pruning import data
from pruning.job import Job, Progress
from pruning.recipe import Recipe
from pruning.steps import LayerSummary, summary


@dataclass(frozen=True)
class PruneResult:
    """What a job made.

    accuracy: percent of the test set, for the ``dense`` float network, the ``pruned`` float one and
    its integer ``mirror`` in torch. layers: words and steps of every layer. seconds: what all of it took,
    over all sessions, without the dense network.
    """

    artifact: Path
    digest: str
    accuracy: dict[str, float]
    layers: list[LayerSummary]
    seconds: float


def run(
    recipe: Recipe,
    *,
    data_dir: Path | None = None,
    out: Path,
    cache: Path | None = None,
    resume: bool = True,
    progress: Callable[[Progress], None] | None = None,
) -> PruneResult:
    """Train, prune and quantise; write ``model.npz`` and ``training.csv`` to ``out``.

    With ``resume``, ``out/checkpoint.pt`` of the same settings is continued. The dense network is
    shared between jobs through a file in ``cache`` (default: the folder that holds ``out``).
    ``data_dir``: see :func:`pruning.data.load`. Raises ``DataError``, ``ConfigError`` when network and data
    set do not fit, or ``ArtifactError`` when a file cannot be written or a checkpoint is damaged.
    """
    images, out = data.load(recipe.data, data_dir), Path(out)
    _check(recipe, images)
    job = Job(recipe.settings(len(images.train_labels)), images, out, progress)
    job.write_log()  # a place that cannot be written is refused before hours of training, not after
    job.train(resume, Path(cache) if cache is not None else out.parent)
    how = "" if recipe.optimiser == "admm" else f", {recipe.optimiser}"
    digest = job.artifact(f"{recipe.name} {recipe.sparsity}{how}").save(out / "model.npz")
    job.write_log()
    layers = summary(job.model, recipe.network)
    return PruneResult(out / "model.npz", digest, job.accuracy, layers, job.seconds)


def _check(recipe: Recipe, images: data.ImageSet) -> None:
    """Refuse a network that takes other images, or tells fewer classes apart, than the data set has."""
    network, classes = recipe.network, int(images.train_labels.max()) + 1
    shape = images.train_images.shape[1:]
    if network.input != shape:
        takes, gives = ("×".join(map(str, sizes)) for sizes in (network.input, shape))
        raise ConfigError(
            f"the recipe {recipe.name}: network {network.name!r} takes images of {takes}, but "
            f"{recipe.data!r} has images of {gives}: choose another data set, or a network for its images"
        )
    if (network.classes or 0) < classes:
        raise ConfigError(
            f"the recipe {recipe.name}: network {network.name!r} gives {network.classes or 'no'} class "
            f"scores, but {recipe.data!r} has {classes} classes: end it with a fully connected layer of so "
            "many outputs"
        )
    if recipe.start is not None:
        raise ConfigError(
            f"the recipe {recipe.name}: the weights of {network.name!r} cannot be the start of a job yet: "
            "use pruning.from_onnx in a training loop of your own"
        )
