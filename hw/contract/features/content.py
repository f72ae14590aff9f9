"""Feature vectors in memory, and what their integers mean.

=========  ==================  =====================================================================
form       of an image         integers
=========  ==================  =====================================================================
average    (c,) int32          the *sum* of a channel's pixels: divided by ``pixels`` it is their mean, and
                               nothing was rounded
flat       (c·h·w,)            the map's pixels, channel by channel, row by row
maps       (c, h, w)           the map itself
=========  ==================  =====================================================================

Pixels are uint8 after a ReLU, else int8 (``signed``), class scores int32. A fully connected layer makes
``outputs`` numbers, whatever the form. A pixel counts steps of its *channel*: every channel has a step of its
own, which an artifact does not hold, since the next layer's weights absorb it (``docs/numbers.md``, Scales).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from hw.contract.network import Network, Shape
from hw.util import documents, names
from hw.util.errors import ConfigError, DataError, DigestMismatch

Form = Literal["average", "flat", "maps"]
"""How the map of an image becomes its features."""

MOST_PIXELS = (1 << 31) // 256
"""Of a channel whose sum has 32 bits."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class LayerFeatures:
    """What the features of a layer are.

    shape: of the layer's map, (c, h, w); (outputs, 1, 1) of a fully connected layer. step: what an integer
    stands for, where the artifact says so: class scores.
    """

    network: str
    layer: str
    form: Form
    shape: Shape
    signed: bool
    scores: bool
    step: float | None

    def __post_init__(self) -> None:
        documents.check_fields(self, "features", DataError)
        names.check("network", self.network, DataError)
        names.check("layer", self.layer, DataError)
        if min(self.shape) < 1:
            raise DataError(f"there are no features of a map {self.shape}")
        if self.form == "average" and self.area > MOST_PIXELS:
            raise DataError(
                f"the sum of {self.area:,} pixels has more than 32 bits, which {MOST_PIXELS:,} pixels have: "
                "take the form flat"
            )

    @property
    def area(self) -> int:
        """Pixels of a channel."""
        return self.shape[1] * self.shape[2]

    @property
    def pixels(self) -> int:
        """How many pixels an integer is the sum of."""
        return self.area if self.form == "average" else 1

    @property
    def vector(self) -> tuple[int, ...]:
        """The shape of an image's features."""
        if self.form == "maps":
            return self.shape
        return (self.shape[0] * (self.area if self.form == "flat" else 1),)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the integers."""
        if self.scores or self.form == "average":
            return np.dtype("<i4")
        return np.dtype("|i1" if self.signed else "|u1")

    def of(self, maps: NDArray[Any]) -> NDArray[Any]:
        """The features (n, *vector) of what the layer made of n images: maps (n, c, h, w), or class scores
        (n, classes).

        A fully connected layer in front of others lays its outputs out as channels of 8×8 pixels, of which
        the last has a rest: it is left out. Raises ``DataError`` for maps of another shape.
        """
        c, h, w = self.shape
        if h == w == 1:
            maps = maps.reshape(len(maps), -1)[:, :c].reshape(len(maps), -1, 1, 1)
        if maps.shape[1:] != self.shape:
            raise DataError(f"layer {self.layer!r} makes maps {self.shape}, these are {maps.shape[1:]}")
        if self.form == "average":
            sums: NDArray[Any] = maps.sum(axis=(2, 3), dtype=self.dtype)
            return sums
        return maps.astype(self.dtype).reshape(len(maps), *self.vector)


@dataclass(frozen=True)
class About(LayerFeatures):
    """The features of a file, and where they come from.

    model, images: SHA-256 of the artifact, and of all pixels. source: what made them (the integer model, the
    Verilog, a link). command: that asked for them.
    """

    model: str
    images: str
    count: int
    source: str
    command: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 1:
            raise DataError(f"there are no features of {self.count} images")
        if not all(map(_DIGEST.fullmatch, (self.model, self.images))):
            raise DataError("the digest of a model, or of images, is 64 hexadecimal digits")


@dataclass(frozen=True)
class Features:
    """vectors: (n, *about.vector), integers of ``about.dtype``. labels: (n,) int64, or None."""

    about: About
    vectors: NDArray[Any]
    labels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        wanted = (self.about.count, *self.about.vector)
        if self.vectors.shape != wanted or self.vectors.dtype != self.about.dtype:
            found = f"{self.vectors.dtype} {self.vectors.shape}"
            raise DataError(f"features are {found}, and they are said to be {self.about.dtype} {wanted}")
        if self.labels is not None and self.labels.shape != (self.about.count,):
            raise DataError(f"{self.labels.shape} labels for {self.about.count} images: there is one each")

    @property
    def real(self) -> NDArray[np.float64]:
        """(n, d): the vectors as real numbers in steps of a channel, means where they are averages."""
        return self.vectors.reshape(len(self.vectors), -1) / self.about.pixels

    def first(self, count: int) -> Features:
        """Those of the first images. Raises ``DataError`` when there are not so many."""
        if not 1 <= count <= len(self.vectors):
            raise DataError(
                f"there are features of {len(self.vectors)} images, not of {count}: lower the number"
            )
        labels = None if self.labels is None else self.labels[:count]
        return Features(replace(self.about, count=count), self.vectors[:count], labels)

    def check_model(self, artifact: Artifact) -> None:
        """Raise ``DigestMismatch`` unless ``artifact`` made them."""
        check_model(self.about, artifact.digest)


def check_model(about: About, digest: str) -> None:
    """Raise ``DigestMismatch`` unless the model with that ``digest`` made the features ``about``."""
    if about.model != digest:
        raise DigestMismatch(
            f"the features are those of model {about.model[:8]}…, not of {digest[:8]}…: take that model, or "
            "make them again with 'spec2 features'"
        )


def check_same(about: About, other: About) -> None:
    """Raise ``DigestMismatch`` unless both are features of one model, ``ConfigError`` unless of one layer and
    form: then their numbers may be compared."""
    check_model(about, other.model)
    asked, own = ((found.layer, found.form) for found in (about, other))
    if asked != own:
        raise ConfigError(
            f"features of layer {asked[0]}, form {asked[1]}, are not compared with those of {own[0]}, "
            f"{own[1]}: make both of one layer with 'spec2 features'"
        )


def layer_number(network: Network, name: str) -> int:
    """Which layer of ``network`` has that name. Raises ``ConfigError`` with all names where none has."""
    known = [layer.name for layer in network.layers]
    if name not in known:
        raise ConfigError(
            f"network {network.name!r} has no layer {documents.shown(name)}: choose from {', '.join(known)}"
        )
    return known.index(name)


def features_of(artifact: Artifact, layer: str, form: Form = "average") -> LayerFeatures:
    """What the features of ``layer`` are. Raises ``ConfigError`` for a layer that there is not."""
    network = artifact.network
    number = layer_number(network, layer)
    found = network.layers[number]
    scores = network.classes is not None and number == len(network.layers) - 1
    return LayerFeatures(
        network.name,
        layer,
        form,
        (found.outputs, 1, 1) if found.dot else network.maps[number + 1],
        found.signed or scores,
        scores,
        float(artifact.score_scale) if scores else None,
    )
