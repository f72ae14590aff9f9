"""``spec2.prune``: a network in, a model out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bitstreams.commands.api.given_images import GivenImages
from bitstreams.commands.api.keywords import says_keywords
from bitstreams.commands.api.model import Model
from hw.commands.console import requires
from hw.commands.options import DATA_DIR_VARIABLE
from hw.util.errors import ConfigError
from pruning.commands.train import follow
from sim.commands.integer_model import measure

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import nn

    from hw.contract.network import Shape
    from pruning.training.recipe import Recipe

    Numbers = float | tuple[float, ...]


@says_keywords()
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
    recipe: Path | str | None = None,
    epochs: Mapping[str, int] | None = None,
    data_dir: Path | str | None = None,
    device: str = "cpu",
    threads: int | None = None,
    fresh: bool = False,
    tensorboard: bool = False,
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
    recipe: a file of settings (:mod:`pruning.training.recipe_file`) without a network, for a module; what is
    given besides overrides it.
    epochs: of the phases ``dense``, ``pruning``, ``finetune`` and ``mirror``, or of some. A module is taken
    to be trained: without a recipe it has no ``dense`` ones unless they are given.
    data_dir: folder of a set's files. device, threads: as torch takes them.
    fresh: whether to begin anew where a run of the same settings was broken off, or ended.
    tensorboard: whether to write ``training.csv``'s figures for TensorBoard as well.
    entries: of a recipe (:mod:`pruning.training.recipe_file`): ``sparsity="adaptive-1:8"``, ``seed=1``.

    Raises ``UnsupportedNetwork`` with all that stands in the way of a network, ``ConfigError`` and
    ``DataError`` for what makes no sense.
    """
    given = GivenImages.of(images, labels, test)
    with requires("torch", "onnx", "mlxtend"):
        from pruning.training import recipe as recipes

        changes = recipes.checked_entries(entries)
        scale = {"mean": mean, "std": std}
        if isinstance(network, str | Path):
            if name is not None or shape is not None or recipe is not None:
                raise ConfigError(
                    f"name, shape and recipe are for a torch module, and {network} is none: leave them out"
                )
            found = recipes.find(str(network), **scale, **given.named(changes))
        else:
            found = _of_module(network, given, name, shape, scale, recipe, changes)
        if epochs:
            found = recipes.with_epochs(found, epochs)
    folder = Path(out) if out is not None else Path("build") / found.name
    found = given.put_into(found, folder)
    result, data = follow(
        found,
        folder,
        data_dir=_directory(data_dir),
        device=device,
        threads=threads,
        resume=not fresh,
        tensorboard=tensorboard,
    )
    accuracy, seconds = result.accuracy, result.seconds
    measure(folder, data.test_images, data.test_labels, accuracy=accuracy, seconds=seconds, command=None)
    return Model(folder)


def _directory(given: Path | str | None) -> Path | None:
    """That of the sets' files, by default the environment's, as of a command."""
    chosen = given if given is not None else os.environ.get(DATA_DIR_VARIABLE)
    return Path(chosen) if chosen else None


def _of_module(
    module: nn.Module,
    given: GivenImages,
    name: str | None,
    shape: Shape | None,
    scale: dict[str, Numbers | None],
    file: Path | str | None,
    changes: dict[str, Any],
) -> Recipe:
    """``file``: of settings, which ``scale``, ``shape``, images that are given, and ``changes`` override."""
    from pruning import convert
    from pruning.training.recipe import of_network, settings_of, with_epochs

    if file is not None:
        settings = settings_of(Path(file))
        sizes = settings.pop("input")
        scale = {entry: settings.pop(entry) if value is None else value for entry, value in scale.items()}
        shape, changes = shape or sizes, settings | changes
    changes = given.named(changes)
    shape = shape or given.shape(changes.get("data"))
    if shape is None:
        raise ConfigError("nothing says what images the module takes: give shape=(channels, rows, columns)")
    converted = convert(module, shape, name, **scale)
    found = of_network(converted.network, converted.model, converted.note, **changes)
    return found if file is not None or "epochs" in changes else with_epochs(found, {"dense": 0})
