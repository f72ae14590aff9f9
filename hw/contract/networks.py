"""The networks known by name, and what is missing for those people ask for most."""

from __future__ import annotations

from collections.abc import Callable

from hw.contract.network import Network, cifar_small, lenet, tiny, vgg16, vgg16_cifar, vgg16_cifar_half
from hw.util.errors import ConfigError, UnsupportedNetwork

NETWORKS: dict[str, Callable[[], Network]] = {
    "lenet": lenet,
    "tiny": tiny,
    "vgg16": vgg16,
    "vgg16-cifar": vgg16_cifar,
    "vgg16-cifar-half": vgg16_cifar_half,
    "cifar-small": cifar_small,
}

MISSING = {
    "alexnet": "kernels of 11×11, strides of 4 and overlapping 3×3 pooling",
    "densenet": "concatenation of maps and 3×3 pooling",
    "googlenet": "branches, concatenation of maps and 3×3 pooling",
    "inception": "branches, concatenation of maps and 3×3 pooling",
    "mobilenet": "depthwise convolutions and strides of 2",
    "resnet": "strides of 2, 3×3 pooling and the addition of an earlier map (residual)",
    "squeezenet": "branches, concatenation of maps and 3×3 pooling",
}
"""Families of networks, and what they need that the hardware lacks. Kernels of 1×1 it has."""


def find(name: str) -> Network:
    """The network of that name (upper or lower case).

    Raises ``UnsupportedNetwork`` with what is missing for a family that is known not to run, ``ConfigError``
    for any other name.
    """
    known = ", ".join(NETWORKS)
    if make := NETWORKS.get(name.lower()):
        return make()
    for family, missing in MISSING.items():
        if name.lower().startswith(family):
            raise UnsupportedNetwork(
                f"{name} needs {missing}, which the hardware has not: it runs chains of convolutions of "
                f"stride 1 with 2×2 pooling and of fully connected layers, like {known}"
            )
    raise ConfigError(f"there is no network {name!r}: choose from {known}")
