"""Where a model is cut: its base, which stays, and the layer of class scores, which a head replaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hw.contract.artifact import Artifact
from hw.contract.network import Network, Shape
from hw.util.errors import ConfigError, DataError

Features = NDArray[np.float32]
"""(n, features): what the last layer reads, as the integers that pixels are."""


@dataclass(frozen=True)
class Cut:
    """Of ``network``. shape: (C, H, W) of what the last layer reads, as one map; flat: whether that is a
    vector, laid out as 8×8 channels, and no map. features: numbers that the layer takes of it; signed:
    whether these have a sign; outputs: scores that it gives."""

    network: Network
    shape: Shape
    flat: bool
    features: int
    outputs: int
    signed: bool

    @property
    def map_shape(self) -> Shape:
        """(C, H, W) in which neighbours are neighbours: of a vector (features, 1, 1)."""
        return (self.features, 1, 1) if self.flat else self.shape

    def vectors(self, maps: NDArray[np.integer]) -> Features:
        """Maps (n, C, H, W) as the last layer takes them, (n, features).

        Raises ``DataError`` for maps of another shape.
        """
        if maps.shape[1:] != self.shape:
            raise DataError(
                f"maps of shape {maps.shape} are not what {self.network.name!r} hands on: {self.shape}"
            )
        return maps.reshape(len(maps), -1)[:, : self.features].astype(np.float32)


def cut_of(artifact: Artifact) -> Cut:
    """Raises ``ConfigError`` for a model that does not end in a fully connected layer, and for one whose only
    layer it is."""
    network = artifact.network
    last = network.layers[-1]
    if not last.dot:
        raise ConfigError(
            f"network {network.name!r} ends in a feature map, and a head takes the place of a last fully "
            "connected layer: give a model that gives class scores"
        )
    if len(network.layers) == 1:
        raise ConfigError(
            f"network {network.name!r} is a single layer, and nothing is left of it without: give a model "
            "with layers in front of its class scores"
        )
    shape = network.inputs[-1]
    flat = any(number and network.layers[number - 1].dot for number in network.sources[-1])
    signed = any(map(network.signed, network.sources[-1]))
    return Cut(network, shape, flat, last.inputs, last.outputs, signed)
