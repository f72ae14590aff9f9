"""Trained models that come with the project: ``zoo:NAME`` wherever a command takes a model.

Beside this file lie, for every one, the artifact ``NAME.npz`` and ``NAME.json``, a :class:`ModelCard`: its
digest, the recipe and the command that made it, what it came to, and checks that show that it still does. A
colon in a name is written ``of`` in files (``lenet-2:8`` in ``lenet-2of8.npz``): make, and lists of folders,
part words at colons.

A model is unpacked before it is used (:func:`unpack`), as if ``spec2 prune`` had just written it: designs and
reports lie beside models, and a package that is installed is no place for them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from hw.contract.artifact import Artifact, load
from hw.contract.config import AcceleratorConfig
from hw.contract.results import ACCURACY_NAME, TRAINING_NAME
from hw.util import documents, files
from hw.util.errors import ArtifactError, ConfigError

FOLDER = Path(__file__).parent

UNPACKED = Path("build") / "zoo"
"""Where models are unpacked, a folder each."""

MOST = 20 << 20
"""Bytes of all files together: everybody who clones or installs the project has them."""

RANDOM = "random"
"""In place of a data set: pixels of :func:`random_images`, which need no data."""

Sha = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the integer model makes of some images.

    data: the set whose first test images they are, or ``RANDOM``. images: how many. pixels: SHA-256 of their
    bytes, since a copy of a data set may have other pixels or another order. scores: SHA-256 of the scores
    (:func:`sha_of`). correct: how many the highest score is right about; None for random pixels.
    """

    data: str
    images: Annotated[int, Meta(ge=1)]
    pixels: Sha
    scores: Sha
    correct: int | None = None


class ModelCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of a model (M. Mitchell et al., arXiv:1810.03993).

    accuracy: percent of the data set's test images, as in ``accuracy.json``. seconds: of training without the
    dense network. recipe: its name and its entries. config: of the array that it is usually generated for,
    the parameters that are not the default. clocks: of one image on it, by the cost model.
    """

    name: str
    digest: Sha
    network: str
    sparsity: str
    data: str
    accuracy: dict[str, float]
    seconds: float | None
    command: str
    recipe: dict[str, Any]
    config: dict[str, Any]
    clocks: int
    checks: tuple[Check, ...]

    @property
    def file(self) -> Path:
        """The artifact."""
        return FOLDER / f"{file_name(self.name)}.npz"

    @property
    def array(self) -> AcceleratorConfig:
        """The array that it is usually generated for."""
        return AcceleratorConfig(**self.config)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain data, as in the file."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found


def file_name(name: str) -> str:
    """A model's name in files and folders, without suffix."""
    return name.replace(":", "of")


def cards() -> list[ModelCard]:
    """Of all models, by name."""
    found: list[ModelCard] = [
        documents.decode(documents.read(path), ModelCard, f"the zoo's {path.name}")
        for path in FOLDER.glob("*.json")
    ]
    return sorted(found, key=lambda card: card.name)


def find(name: str) -> ModelCard:
    """The model of that name. Raises ``ConfigError`` with all names where there is none."""
    known = {card.name: card for card in cards()}
    if name not in known:
        raise ConfigError(
            f"there is no model {documents.shown(name)} in the zoo: choose {', '.join(known)} "
            "('spec2 zoo' tells of them)"
        )
    return known[name]


def artifact(card: ModelCard) -> Artifact:
    """A model's integers. Raises ``ArtifactError`` where the file is another one than the card's."""
    found = load(card.file)
    if found.digest != card.digest:
        raise ArtifactError(f"{card.file} is not what {card.name} of the zoo was: install spec2 again")
    return found


def unpack(card: ModelCard, below: Path = UNPACKED) -> Path:
    """Write what ``spec2 prune`` left of the model into a folder of its own in ``below``; returns that.

    What is there already stays as it is, and designs and reports beside it. Raises ``ArtifactError`` where
    the file is another one than the card's, or it cannot be written.
    """
    folder = below / file_name(card.name)
    packed = card.file.read_bytes()
    if not (there := folder / "model.npz").is_file() or there.read_bytes() != packed:
        artifact(card)  # refuses a file that was changed
    about = {"digest": card.digest, "seconds": card.seconds, "command": card.command}
    for name, content in (
        ("model.npz", packed),
        (ACCURACY_NAME, msgspec.json.format(msgspec.json.encode({"digest": card.digest, **card.accuracy}))),
        (TRAINING_NAME, msgspec.json.format(msgspec.json.encode(about))),
    ):
        path = files.inside(folder, name)
        if not path.is_file() or path.read_bytes() != content:
            files.write(path, content)
    return folder


def random_images(network_input: tuple[int, int, int], count: int) -> NDArray[np.uint8]:
    """Pixels of ``count`` images that need no data, the same everywhere: (n, C, H, W)."""
    channels, height, width = network_input
    n = count * channels * height * width
    stream = b"".join(hashlib.sha256(b"zoo %d" % i).digest() for i in range(-(-n // 32)))
    return np.frombuffer(stream[:n], np.uint8).reshape(count, channels, height, width)


def sha_of(array: NDArray[Any]) -> str:
    """SHA-256 (hex) of pixels, or of scores as 32-bit integers, little-endian."""
    kind = "|u1" if array.dtype == np.uint8 else "<i4"
    return hashlib.sha256(array.astype(kind).tobytes()).hexdigest()
