"""What the accelerator can execute: a chain of convolutions and fully connected layers.

``layers``: the layers and their numerics. ``chain``: the network. ``known``: networks by name.
"""

from hw.contract.network.chain import Network
from hw.contract.network.known import (
    MISSING,
    NETWORKS,
    VGG16_WIDTHS,
    cifar_small,
    find_network,
    lenet,
    tiny,
    vgg16,
    vgg16_cifar,
    vgg16_cifar_half,
)
from hw.contract.network.layers import MAX_KERNEL, MOST, Conv, Dense, Layer, Shape

__all__ = [
    "MAX_KERNEL",
    "MISSING",
    "MOST",
    "NETWORKS",
    "VGG16_WIDTHS",
    "Conv",
    "Dense",
    "Layer",
    "Network",
    "Shape",
    "cifar_small",
    "find_network",
    "lenet",
    "tiny",
    "vgg16",
    "vgg16_cifar",
    "vgg16_cifar_half",
]
