"""Recipes that were read: their names are known and their numbers in range.

What a file may say is in :mod:`pruning.training.recipe_file`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec.structs import asdict, replace

from hw.contract.artifact import Sparsity
from hw.contract.config import AcceleratorConfig
from hw.contract.narrow import check_spectrum_bits
from hw.contract.network import Network, find_network
from hw.util import documents
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import data, patterns
from pruning.data import own_images
from pruning.layers.gradient import OPTIMISERS
from pruning.layers.models import NetworkModel
from pruning.optimisers import CONFIGS, Targets
from pruning.quant.quantise import check_layer_bits, check_weight_bits
from pruning.training.augment import AUGMENTATIONS
from pruning.training.precision import PRECISIONS
from pruning.training.recipe_file import Entries, RecipeFile
from pruning.training.settings import Bits, Settings, Target, Training
from pruning.training.widths import check_bits

FOLDER = Path(__file__).parents[1] / "recipes"

SUFFIX = ".toml"
"""What tells a file from the name of a recipe, however it is written."""

ONNX_SUFFIX = ".onnx"
"""What tells a file from the name of a network, however it is written."""

WEIGHTS = (".pt", ".pth", ".safetensors", ".ckpt")
"""Files of weights alone."""

Numbers = float | Sequence[float]
"""Of a mean or deviation: one for every channel, or one for all."""

MOST_SAID = 8000
"""Characters of what is wrong with a file: all that is in the way of a network."""


class Recipe(Entries, frozen=True):
    """A recipe whose names are known and whose numbers are in range (else ``ConfigError``).

    start: the model to begin with, a :class:`NetworkModel` of ``network``; random weights if there is none.
    note: what of the file that it comes from is left to the host, as a sentence.
    """

    name: str
    network: Network
    start: NetworkModel | None = None
    note: str = ""

    def __post_init__(self) -> None:
        check_weight_bits(self.weight_bits)
        check_layer_bits(self.network, self.layer_bits, self.weight_bits)
        check_spectrum_bits(self.spectrum_bits, self.network, ConfigError)
        if self.bits is not None:
            check_bits(self.bits, self.weight_bits)
            if self.layer_bits:
                raise ConfigError(
                    "layer_bits gives widths that mean bits are to find: leave one of the two out"
                )
        if self.batch < 1:
            raise ConfigError(f"batch must be at least 1, not {self.batch}")
        if not 0 <= self.seed < 2**32:
            raise ConfigError(f"seed must be 0 to 2^32 - 1, not {self.seed}")
        if not 0 <= self.training.label_smoothing < 1:
            raise ConfigError(
                f"label_smoothing must be at least 0 and below 1, not {self.training.label_smoothing}"
            )
        if self.data not in data.LOADERS and not own_images.is_file(self.data):
            known = ", ".join(data.LOADERS)
            raise ConfigError(f"unknown data set {self.data!r}: choose {known}, or give a .npz of your own")
        for what, value, known in (
            ("optimiser", self.optimiser, CONFIGS),
            ("optimiser of training", self.training.optimiser, OPTIMISERS),
            ("augmentation", self.training.augment, AUGMENTATIONS),
            ("precision", self.training.precision, PRECISIONS),
        ):
            if value not in known:
                raise ConfigError(f"unknown {what} {value!r}: choose {', '.join(known)}")
        if strange := sorted(set(self.layers) - {layer.name for layer in self.network.layers}):
            names = ", ".join(layer.name for layer in self.network.layers)
            raise ConfigError(
                f"network {self.network.name!r} has no layer {strange[0]!r}: [layers] may name {names}"
            )
        self.targets()

    def targets(self) -> Targets:
        """The constraint set of every layer.

        Convolutions get ``sparsity``, pointwise and fully connected layers the same or, where it is not for
        them, another (:func:`pruning.patterns.fully_connected`, :func:`pruning.patterns.pointwise`). The
        first layer (but with the patterns in ``prune_first``), those in groups and a last one that gives
        class scores stay dense.
        """
        conv = patterns.parse(self.sparsity, self.block)
        dense = patterns.fully_connected(self.sparsity, self.block)
        point = patterns.pointwise(self.sparsity, self.block)
        found: dict[str, Sparsity | None] = {}
        for index, layer in enumerate(self.network.layers):
            first = index == 0 and conv.kind not in self.prune_first
            scores = index == len(self.network.layers) - 1 and layer.dot
            whole = first or scores or layer.sparse
            own = dense if layer.dot else point if layer.pointwise else conv
            found[layer.name] = None if whole else own
        for name, scheme in self.layers.items():
            found[name] = patterns.parse(scheme, self.block)
        return self._optimiser_config(found)

    def _optimiser_config(self, layers: Mapping[str, Sparsity | None]) -> Targets:
        config = CONFIGS[self.optimiser]
        known = [field.name for field in fields(config) if field.name not in ("default", "layers")]
        if strange := sorted(set(self.pruning) - set(known)):
            raise ConfigError(
                f"{self.optimiser} has no {strange[0]!r}: [pruning] may hold {', '.join(known) or 'nothing'}"
            )
        return config(None, layers, **self.pruning)

    def settings(self, images: int) -> Settings:
        """What a job needs, for a training set of that size."""
        return Settings(
            self.network,
            self.targets(),
            self.epochs.epochs(images),
            self.seed,
            self.batch,
            self.weight_bits,
            self.training,
            self.layer_bits,
            self.bits,
            self.spectrum_bits,
        )


def names() -> list[str]:
    """Recipes that come with the project."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def is_file(name: str) -> bool:
    """Whether it is a file that is asked for, not a recipe that comes with the project."""
    return Path(name).suffix.lower() in (SUFFIX, ONNX_SUFFIX)


def find(name: str, *, mean: Numbers | None = None, std: Numbers | None = None, **changes: Any) -> Recipe:
    """The recipe of that name, or in the file of that name, with other values for some fields; for an ONNX
    file one that has only the network and these.

    ``mean``, ``std``: of the images that an ONNX file takes (:func:`pruning.from_onnx`), whatever the recipe
    says. Raises ``ConfigError`` for an unknown name and for whatever the file holds that makes no sense.
    """
    path = FOLDER / f"{name.lower()}.toml"
    if Path(name).suffix.lower() == ONNX_SUFFIX:
        return _of_onnx(Path(name), mean, std, **changes)
    if is_file(name):
        path = Path(name)
    elif name.lower() not in names():  # not whether there is a file: a name may be too long for one
        with suppress(ConfigError):
            find_network(name)  # a family that is known not to run gets its own sentence
        if Path(name).suffix.lower() in WEIGHTS:
            raise ConfigError(
                f"{documents.shown(name)} holds weights and no network: load them into a torch module and "
                "give that to spec2.prune, or export it as an ONNX file"
            )
        raise ConfigError(
            f"there is no recipe {documents.shown(name)}: choose {', '.join(names())}, or give a .toml file"
        )
    return replace(read(path, mean, std), **changes)


def checked_entries(given: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of a recipe that a program gives, of the types that they have there; those with fields of
    their own (``training``) may be dictionaries. Raises ``ConfigError`` for another, or a wrong type."""
    if unknown := sorted(set(given) - set(Entries.__struct_fields__)):
        raise ConfigError(f"a recipe has no {unknown[0]!r}: give {', '.join(Entries.__struct_fields__)}")
    types = get_type_hints(Entries)
    found = {}
    for name, value in given.items():
        try:
            found[name] = msgspec.convert(value, types[name], from_attributes=True)
        except msgspec.ValidationError as error:
            raise ConfigError(f"{name} of a recipe: {error}") from None
    return found


def of_network(network: Network, start: NetworkModel | None = None, note: str = "", **changes: Any) -> Recipe:
    """A recipe that has only the network, weights to begin with and ``changes``; ``data`` is, unless given,
    the set whose images have its shape. Images of one's own are trained on as they are, unless ``training``
    says otherwise: what may be done to them without changing what they are is not known. Raises
    ``ConfigError`` if there is no set."""
    images = changes.pop("data", None) or data.name_for(network.input, network.classes)
    if images is None:
        size = "×".join(map(str, network.input))
        known = ", ".join(data.LOADERS)
        raise ConfigError(
            f"no data set has images of {size}: give --data, one of {known}, or a .npz of your own"
        )
    if own_images.is_file(images):
        changes.setdefault("training", Training(augment="none"))
    return Recipe(network.name, network, start=start, note=note, data=images, **changes)


def _of_onnx(path: Path, mean: Numbers | None, std: Numbers | None, **changes: Any) -> Recipe:
    network, start, note = _network(path.name, None, path.parent, mean, std)
    try:
        return of_network(network, start, note, **changes)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def with_epochs(recipe: Recipe, epochs: Mapping[str, int]) -> Recipe:
    """``recipe`` with that many passes in the phases named, whatever the size of its set. Raises
    ``ConfigError`` for another phase, or a number that is none."""
    merged = asdict(recipe.epochs) | {"few": None} | dict(epochs)
    return replace(recipe, **checked_entries({"epochs": merged}))


def for_cycles(recipe: Recipe, cycles: int, lanes: int | None = None) -> Recipe:
    """``recipe`` with that target, on an array of as many rows as share a choice.

    Raises ``ConfigError`` for an array there cannot be.
    """
    default = recipe.target or Target(cycles)
    found = Target(cycles, recipe.block, default.lanes if lanes is None else lanes, default.images)
    AcceleratorConfig(rows=found.rows, lanes=found.lanes, batch=1)
    return replace(recipe, target=found)


def for_bits(recipe: Recipe, mean: float) -> Recipe:
    """``recipe`` with widths to be found for that mean. Raises ``ConfigError`` for one there cannot be."""
    return replace(recipe, bits=replace(recipe.bits, mean=mean) if recipe.bits else Bits(mean))


def read(path: Path, mean: Numbers | None = None, std: Numbers | None = None) -> Recipe:
    """The recipe in a file, with another ``mean`` and ``std`` where given. Raises ``ConfigError``."""
    entries = _entries(path)
    try:
        given = entries.pop("mean"), entries.pop("std")
        mean, std = (old if new is None else new for new, old in zip((mean, std), given, strict=True))
        name, shape = entries.pop("network"), entries.pop("input")
        if not name:
            raise ConfigError(
                "it names no network: run the program that gives it one (python network.py, of spec2 new), "
                "or name a network or an .onnx file as 'network'"
            )
        network, start, note = _network(name, shape, path.parent, mean, std)
        return Recipe(path.stem, network, start=start, note=note, **entries)
    except (ConfigError, UnsupportedNetwork) as error:
        raise type(error)(f"the recipe {path}: {documents.printable(str(error), MOST_SAID)}") from None


def settings_of(path: Path) -> dict[str, Any]:
    """What a recipe says beside its network, for a network that a program gives: entries as
    :func:`of_network` takes them, and ``mean``, ``std`` and ``input``. Raises ``ConfigError``, also for a
    recipe that has a network."""
    entries = _entries(path)
    if entries.pop("network"):
        raise ConfigError(f"the recipe {path} has a network of its own: leave one of the two out")
    return entries


def _entries(path: Path) -> dict[str, Any]:
    content = documents.needed(path, "the recipe", error=ConfigError)
    what = f"the recipe {path} is damaged or has an unknown entry"
    file: RecipeFile = documents.decode(content, RecipeFile, what, form="toml", error=ConfigError)
    entries = asdict(file)
    del entries["config"]
    if own_images.is_file(entries["data"]):
        entries["data"] = str(path.parent / entries["data"])
    return entries


def _network(
    entry: str,
    shape: tuple[int, int, int] | None,
    folder: Path,
    mean: Numbers | None,
    std: Numbers | None,
) -> tuple[Network, NetworkModel | None, str]:
    """The network of that name, or in that file below ``folder`` and then with its weights, and a note."""
    if Path(entry).suffix.lower() == ONNX_SUFFIX:
        from pruning.importers.onnx_file import from_onnx  # other recipes need no onnx

        found = from_onnx(folder / entry, shape, mean=mean, std=std)
        return found.network, found.model, found.note
    network = find_network(entry)
    if mean is not None or std is not None:
        raise ConfigError(
            f"mean and std say what images an ONNX file was trained on, and {entry!r} is trained here, on "
            "images of 0 to 1: leave them out"
        )
    if shape is not None and shape != network.input:
        size = list(network.input)
        raise ConfigError(f"{entry} takes an input of {size}, not of {list(shape)}: leave input out")
    return network, None, ""
