"""What holds of layers of every kind: how large anything may be, what follows the sum."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hw.util.errors import UnsupportedNetwork

if TYPE_CHECKING:
    from hw.contract.network.layers import Layer

Shape = tuple[int, int, int]
"""(channels, height, width)."""

IMAGES = "images"
"""What ``sources`` call the network's input; where layers have some, none has that name."""

MAX_KERNEL = 7

MOST_LEAK = 7
"""A leaky ReLU's least slope is 2^-7: of less, hardly a pixel's step of eight bits would be left."""

MOST = 1 << 20
"""Channels, features, rows and columns of anything. What a design holds ends far below; this keeps a number
in a file from becoming hours or gigabytes before anyone looks at it."""


def check_activation(layer: Layer) -> None:
    """Raises ``UnsupportedNetwork`` for a clip or a leak that a ReLU cannot have."""
    if layer.clip is not None and not (layer.relu and layer.clip > 0):
        raise UnsupportedNetwork(f"layer {layer.name!r}: clip {layer.clip:g} must be above 0, after a ReLU")
    if layer.clip is not None and layer.leak:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: clip and a leaky ReLU in one layer are not supported: leave out one "
            "of them, or put a layer between"
        )
    if not 0 <= layer.leak <= MOST_LEAK:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: leak {layer.leak} must be 1 to {MOST_LEAK}, for a slope of 1/2 to "
            f"1/{1 << MOST_LEAK} below zero, or 0"
        )
    if layer.leak and not layer.relu:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: leak is the slope of a leaky ReLU: set relu, or leave leak out"
        )
