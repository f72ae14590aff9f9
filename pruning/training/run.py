"""Follow a recipe from nothing to ``model.npz``: the job of ``spec2 prune``."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hw.util.errors import ConfigError
from pruning import data
from pruning.training.device import device_of
from pruning.training.distributed import joined
from pruning.training.events import events_in
from pruning.training.job import Job
from pruning.training.log import Progress
from pruning.training.memory import keep_freed_memory
from pruning.training.recipe import Recipe
from pruning.training.sensitivity import Scanning
from pruning.training.settings import Settings
from pruning.training.summary import LayerSummary, summary
from pruning.training.target import find_densities

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class PruneResult:
    """What a job made.

    accuracy: percent of the test set, for the ``dense`` float network, the ``pruned`` float one and
    the fake-quant one (``mirror``). layers: words and steps of every layer. seconds: what all of it took,
    over all sessions, without the dense network. first: whether this process wrote it, of several.
    """

    artifact: Path
    digest: str
    accuracy: dict[str, float]
    layers: list[LayerSummary]
    seconds: float
    first: bool = True


def run(
    recipe: Recipe,
    *,
    data_dir: Path | None = None,
    out: Path,
    cache: Path | None = None,
    resume: bool = True,
    device: str = "cpu",
    tensorboard: bool = False,
    progress: Callable[[Progress | Scanning], None] | None = None,
) -> PruneResult:
    """Train, prune and quantise; write ``model.npz`` and ``training.csv`` to ``out``.

    With ``resume``, ``out/checkpoint.pt`` of the same settings is continued. Dense networks, and with
    ``resume`` pruned ones, are shared between jobs through files in ``cache`` (default: the folder that
    holds ``out``).
    ``tensorboard``: write ``out/tensorboard``, too (:mod:`pruning.training.events`).
    ``data_dir``: see :func:`pruning.data.load_for`. ``device``: :func:`pruning.training.device.device_of`.
    Raises ``DataError``, ``ConfigError`` when network and data set do not fit or the device is not there, or
    ``ArtifactError`` when a file cannot be written or a checkpoint is damaged, ``ToolNotFound`` without
    TensorBoard where it is asked for.
    """
    keep_freed_memory()
    LOG.info("recipe %s, %s, seed %d, torch on %s", recipe.name, recipe.sparsity, recipe.seed, device)
    images, out = data.load_for(recipe.network, recipe.data, data_dir), Path(out)
    _check(recipe, images)
    cache = Path(cache) if cache is not None else out.parent
    with events_in(out, tensorboard) as events:
        with joined() as world:
            where = device_of(device, world)
            if recipe.target is not None:
                recipe = _with_densities(
                    recipe,
                    Job(_settings(recipe, images), images, out, progress, world, recipe.start, where),
                    cache,
                )
            job = Job(_settings(recipe, images), images, out, progress, world, recipe.start, where, events)
            # A place that cannot be written is refused before hours of training, not after.
            job.journal.write()
            job.train(resume, cache)
        how = "" if recipe.optimiser == "admm" else f", {recipe.optimiser}"
        artifact = job.artifact(f"{recipe.name} {recipe.sparsity}{how}")
        if world.first:
            artifact.save(out / "model.npz")
            job.journal.write()
    layers = summary(job.model, recipe.network)
    return PruneResult(
        out / "model.npz", artifact.digest, job.journal.accuracy, layers, job.seconds, world.first
    )


def _settings(recipe: Recipe, images: data.ImageSet) -> Settings:
    return recipe.settings(len(images.train_labels))


def _with_densities(recipe: Recipe, job: Job, cache: Path) -> Recipe:
    """``recipe`` with the densities that its target asks for, found on the dense network."""
    assert recipe.target is not None
    job.journal.write()
    job.train(True, cache, phases=1)

    def report(done: int, count: int, layer: str) -> None:
        if job.progress is not None:
            job.progress(Scanning(done / count, layer, "being sparse"))

    out = job.out if job.world.first else None
    return find_densities(recipe, recipe.target, job.model, job.train_set, out, report)


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
