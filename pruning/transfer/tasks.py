"""Tasks for a base: some classes of a data set, a few images of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from hw.contract.network import Network
from hw.util.errors import ConfigError, DataError
from pruning.data import ImageSet
from pruning.training.job import Job
from pruning.training.recipe import Recipe


def of_classes(images: ImageSet, classes: Sequence[int]) -> ImageSet:
    """Only the images of ``classes``, which are numbered anew from 0. Raises ``DataError`` for a class that
    has none."""
    parts = []
    for pixels, labels in (
        (images.train_images, images.train_labels),
        (images.test_images, images.test_labels),
    ):
        if missing := sorted(set(classes) - set(labels.tolist())):
            raise DataError(f"{images.name} has no image of class {missing[0]}: name classes that it has")
        chosen = np.isin(labels, classes)
        numbers = np.full(256, 255, np.uint8)
        numbers[list(classes)] = np.arange(len(classes))
        parts += [pixels[chosen], numbers[labels[chosen]]]
    return ImageSet(*parts, name=f"{images.name}, classes {', '.join(map(str, classes))}")


def drawn(labels: NDArray[np.integer], count: int, seed: int) -> NDArray[np.intp]:
    """Indices of ``count`` images of every class, class after class. The same seed draws the same ones first,
    however many are drawn. Raises ``DataError`` where a class has fewer."""
    rng, found = np.random.default_rng(seed), []
    for number in range(int(labels.max()) + 1):
        members = rng.permutation(np.flatnonzero(labels == number))
        if len(members) < count:
            raise DataError(f"class {number} has {len(members)} images, not {count}: draw fewer")
        found.append(members[:count])
    return np.concatenate(found)


def with_outputs(network: Network, outputs: int) -> Network:
    """``network`` with so many class scores. Raises ``ConfigError`` for one that has none."""
    last = network.layers[-1]
    if not last.dot:
        raise ConfigError(
            f"network {network.name!r} gives no class scores: choose one that ends in a layer of them"
        )
    return replace(network, layers=(*network.layers[:-1], replace(last, out_features=outputs)))


def train_base(recipe: Recipe, images: ImageSet, out: Path) -> Artifact:
    """Follow ``recipe`` on ``images``, with as many class scores as these have classes; writes
    ``out/model.npz`` and goes on where it was."""
    network = with_outputs(recipe.network, int(images.train_labels.max()) + 1)
    recipe = msgspec.structs.replace(recipe, network=network)
    job = Job(recipe.settings(len(images.train_labels)), images, out)
    job.journal.write()
    job.train(True, out)
    artifact = job.artifact(f"{recipe.name} {recipe.sparsity}")
    artifact.save(out / "model.npz")
    return artifact
