"""``spec2.prune``: a network in, a model out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitstreams.commands.api.model import Model
from hw.commands.console import requires
from hw.util.errors import ConfigError
from pruning.commands.train import follow
from sim.commands.integer_model import measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray
    from torch import nn

    from hw.contract.network import Shape
    from pruning.training.recipe import Recipe

    Numbers = float | tuple[float, ...]

IMAGES = "images.npz"
"""In a model's folder: what it was trained on, where that came as arrays."""


def prune(
    network: nn.Module | Path | str,
    images: ArrayLike | Path | str | None = None,
    labels: ArrayLike | None = None,
    *,
    test: tuple[ArrayLike, ArrayLike] | None = None,
    out: Path | str | None = None,
    name: str | None = None,
    shape: Shape | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    epochs: Mapping[str, int] | None = None,
    data_dir: Path | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    fresh: bool = False,
    **entries: Any,
) -> Model:
    """Train, prune and quantise a network, as ``spec2 prune`` does; returns the model, with its accuracy.

    network: a torch module (training starts from its weights), an ONNX file, a recipe's file, or its name.
    images: the name of a set (``"mnist"``), a ``.npz``, or an array (n, c, h, w), (n, h, w) or (n, h, w, c),
    pixels of 0 to 255 or of 0 to 1, with ``labels`` (n,); by default the recipe's own, or a set of that size.
    test: images and labels to measure on; without, every fifth image of the arrays is held out.
    out: folder; by default ``build/NAME``. name: of a module's network; by default that of its class.
    shape: (channels, rows, columns) that a module takes, where its images do not tell.
    mean, std: of the images that a module or an ONNX file takes, in units of 0 to 1.
    epochs: of the phases ``dense``, ``pruning``, ``finetune`` and ``mirror``, or of some; ``dense`` may be 0
    for a module that is trained. data_dir: folder of a set's files. device, threads: as torch takes them.
    fresh: whether to begin anew where a run of the same settings was broken off, or ended.
    entries: of a recipe (:mod:`pruning.training.recipe_file`): ``sparsity="adaptive-1:8"``, ``seed=1``.

    Raises ``UnsupportedNetwork`` with all that stands in the way of a network, ``ConfigError`` and
    ``DataError`` for what makes no sense.
    """
    given = Given.of(images, labels, test)
    with requires("torch", "onnx", "mlxtend"):
        recipe = _recipe(network, given, name, shape, mean, std, epochs, entries)
    folder = Path(out) if out is not None else Path("build") / recipe.name
    if given.arrays:
        recipe = _on_arrays(recipe, given.arrays, folder / IMAGES)
    directory = Path(data_dir) if data_dir is not None else None
    result, data = follow(
        recipe, folder, data_dir=directory, device=device, threads=threads, resume=not fresh
    )
    accuracy, seconds = result.accuracy, result.seconds
    measure(folder, data.test_images, data.test_labels, accuracy=accuracy, seconds=seconds, command=None)
    return Model(folder)


@dataclass(frozen=True)
class Given:
    """Images as they were given: the ``source``, a set's name or a file, or ``arrays``: images, labels, and
    those to test on or None, None. Neither: those of the recipe."""

    source: str | None = None
    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None, NDArray[Any] | None] | None = None

    @classmethod
    def of(
        cls,
        images: ArrayLike | Path | str | None,
        labels: ArrayLike | None,
        test: tuple[ArrayLike, ArrayLike] | None,
    ) -> Given:
        """Raises ``ConfigError`` for images without labels, and for what else does not go together."""
        import numpy as np

        if images is None or isinstance(images, str | Path):
            if labels is not None or test is not None:
                raise ConfigError("labels and test go with an array of images: leave them out")
            return cls(None if images is None else str(images))
        if labels is None:
            raise ConfigError("an array of images needs labels: give prune(network, images, labels)")
        if test is not None and len(test) != 2:
            raise ConfigError(f"test has {len(test)} arrays: give (images, labels)")
        further = (None, None) if test is None else (np.asarray(test[0]), np.asarray(test[1]))
        return cls(arrays=(np.asarray(images), np.asarray(labels), *further))

    def shape(self) -> Shape | None:
        """(channels, rows, columns) of the images, channels first if both ends could be; None if they do not
        tell."""
        from pruning import data
        from pruning.data import own_images

        if self.arrays:
            return _shape(self.arrays[0].shape)
        if self.source is None:
            return None
        if own_images.is_file(self.source):
            return _shape(own_images.sizes(self.source))
        found = data.CONTENTS.get(self.source)
        return found[0] if found else None


MOST_COLOURS = 4
"""Channels of what is taken for pictures with their channels last."""


def _shape(sizes: tuple[int, ...]) -> Shape | None:
    if len(sizes) == 3:
        return 1, sizes[1], sizes[2]
    if len(sizes) != 4:
        return None
    last = sizes[3] <= MOST_COLOURS < sizes[1]
    return (sizes[3], sizes[1], sizes[2]) if last else (sizes[1], sizes[2], sizes[3])


def _recipe(
    network: nn.Module | Path | str,
    given: Given,
    name: str | None,
    shape: Shape | None,
    mean: Numbers | None,
    std: Numbers | None,
    epochs: Mapping[str, int] | None,
    entries: Mapping[str, Any],
) -> Recipe:
    """With the name of a file in place of images that are arrays."""
    from pruning.training import recipe as recipes

    changes = recipes.checked_entries(entries)
    if given.arrays or given.source is not None:
        changes["data"] = IMAGES if given.arrays else given.source
    if isinstance(network, str | Path):
        if name is not None or shape is not None:
            raise ConfigError(f"{network} says its name and shape itself: leave name and shape out")
        found = recipes.find(str(network), mean=mean, std=std, **changes)
    else:
        found = _of_module(network, name, shape or given.shape(), mean, std, changes)
    return recipes.with_epochs(found, epochs) if epochs else found


def _of_module(
    module: nn.Module,
    name: str | None,
    shape: Shape | None,
    mean: Numbers | None,
    std: Numbers | None,
    changes: Mapping[str, Any],
) -> Recipe:
    from pruning import convert
    from pruning.training.recipe import of_network

    if shape is None:
        raise ConfigError("nothing says what images the module takes: give shape=(channels, rows, columns)")
    converted = convert(module, shape, name, mean=mean, std=std)
    return of_network(converted.network, converted.model, converted.note, **changes)


def _on_arrays(recipe: Recipe, arrays: tuple[Any, ...], path: Path) -> Recipe:
    """The recipe on these images, which lie beside the model from then on."""
    from msgspec.structs import replace

    from pruning.data import own_images

    own_images.save(own_images.of_arrays(recipe.network, *arrays), path)
    return replace(recipe, data=str(path))
