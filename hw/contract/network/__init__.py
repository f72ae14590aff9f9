"""What the accelerator can execute: a graph of convolutions and fully connected layers.

``conv``, ``dense``: the layers; ``layers``: what both answer. ``graph``: the network. ``known``: networks by
name.
"""

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense
from hw.contract.network.graph import Network
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
from hw.contract.network.layers import Layer
from hw.contract.network.limits import IMAGES, MAX_KERNEL, MOST, MOST_LEAK, Shape

__all__ = [
    "IMAGES",
    "MAX_KERNEL",
    "MISSING",
    "MOST",
    "MOST_LEAK",
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
