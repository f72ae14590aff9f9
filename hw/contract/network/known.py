"""The networks known by name, and what is missing for those people ask for most."""

from __future__ import annotations

from collections.abc import Callable

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense
from hw.contract.network.graph import Network
from hw.contract.network.large_images import (
    alexnet,
    classifier,
    mobilenet,
    mobilenet_v2,
    squeezenet,
    tiny_yolo,
    unet_flat,
)
from hw.contract.network.layers import Layer
from hw.util.errors import ConfigError, UnsupportedNetwork


def lenet() -> Network:
    """The paper's LeNet (Caffe's variant): 2,293,000 multiply-adds per 28×28 digit."""
    return Network(
        "lenet",
        (1, 28, 28),
        (
            Conv("conv1", 1, 20, 5, pool=2),
            Conv("conv2", 20, 50, 5, pool=2),
            Dense("fc1", 800, 500),
            Dense("fc2", 500, 10, relu=False),
        ),
    )


def pneumonia() -> Network:
    """:func:`lenet` in small, for two classes: outputs are multiples of 8 rows, and a weight memory of some
    kilobytes holds it."""
    return Network(
        "pneumonia",
        (1, 28, 28),
        (
            Conv("conv1", 1, 16, 5, pool=2),
            Conv("conv2", 16, 32, 5, pool=2),
            Dense("fc1", 512, 64),
            Dense("fc2", 64, 2, relu=False),
        ),
    )


VGG16_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of VGG16's convolutions, by stage."""


def vgg16() -> Network:
    """The 13 convolutions of VGG16 at 224 × 224 (Simonyan and Zisserman, arXiv:1409.1556, configuration D).

    Its classifier, 124 million weights that are used once, stays on the host.
    """
    return Network("vgg16", (3, 224, 224), _vgg16_convolutions())


def vgg16_cifar() -> Network:
    """VGG16 for the 32 × 32 images of CIFAR-10: the same convolutions, and one fully connected layer."""
    classifier = Dense("fc", VGG16_WIDTHS[-1][-1], 10, relu=False)
    return Network("vgg16-cifar", (3, 32, 32), (*_vgg16_convolutions(), classifier))


def vgg16_cifar_half() -> Network:
    """:func:`vgg16_cifar` with half of the channels: trains in a third of the time."""
    classifier = Dense("fc", VGG16_WIDTHS[-1][-1] // 2, 10, relu=False)
    return Network("vgg16-cifar-half", (3, 32, 32), (*_vgg16_convolutions(2), classifier))


def _vgg16_convolutions(narrower: int = 1) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    channels = 3
    for stage, widths in enumerate(VGG16_WIDTHS, 1):
        for number, width in enumerate(widths, 1):
            pool = 2 if number == len(widths) else 1
            width //= narrower
            layers.append(Conv(f"conv{stage}_{number}", channels, width, 3, padding=1, pool=pool))
            channels = width
    return tuple(layers)


def cifar_small() -> Network:
    """Five convolutions for the 32 × 32 images of CIFAR-10, small enough to simulate whole in seconds."""
    return Network(
        "cifar-small",
        (3, 32, 32),
        (
            Conv("conv1", 3, 16, 3, padding=1),
            Conv("conv2", 16, 16, 3, padding=1, pool=2),
            Conv("conv3", 16, 32, 3, padding=1),
            Conv("conv4", 32, 32, 3, padding=1, pool=2),
            Conv("conv5", 32, 64, 3, padding=1, pool=2),
            Dense("fc", 64 * 4 * 4, 10, relu=False),
        ),
    )


def resnet20() -> Network:
    """ResNet-20 for the 32 × 32 images of CIFAR-10 (K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385,
    section 4.2 with n = 3); where a map shrinks, the shortcut is a 1×1 convolution (option B). The classifier
    has a weight for every pixel of the last map, whose average the paper takes."""
    layers: list[Layer] = [Conv("stem", 3, 16, 3, padding=1)]
    for stage, width in enumerate((16, 32, 64), 1):
        layers += residual_stage(f"stage{stage}", layers[-1].name, layers[-1].outputs, width, blocks=3)
    layers.append(Dense("fc", 64 * 8 * 8, 10, relu=False))
    return Network("resnet20", (3, 32, 32), tuple(layers))


def resnet18() -> Network:
    """ResNet-18 for images of 224 × 224 (the first column of table 1 of the same paper). The host spreads the
    images, so that the 7×7 convolution of stride 2 is one of 4×4."""
    layers: list[Layer] = [_stem()]
    for stage, width in enumerate((64, 128, 256, 512), 1):
        layers += residual_stage(f"stage{stage}", layers[-1].name, layers[-1].outputs, width, blocks=2)
    return Network("resnet18", (3, 224, 224), (*layers, *classifier(512, 1000)), spread=2)


def resnet34() -> Network:
    """ResNet-34, likewise."""
    layers: list[Layer] = [_stem()]
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        layers += residual_stage(f"stage{stage}", layers[-1].name, layers[-1].outputs, width, blocks)
    return Network("resnet34", (3, 224, 224), (*layers, *classifier(512, 1000)), spread=2)


def resnet50() -> Network:
    """ResNet-50, likewise: blocks of 1×1, 3×3 and 1×1 convolutions; the 3×3 one has the stride."""
    layers: list[Layer] = [_stem()]
    for stage, (width, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3)), 1):
        for number in range(1, blocks + 1):
            block, source, channels = f"stage{stage}_{number}", layers[-1].name, layers[-1].outputs
            stride = 2 if number == 1 and stage > 1 else 1
            shortcut = source
            if number == 1:
                shortcut = f"{block}s"
                layers.append(_projection(shortcut, source, channels, 4 * width, stride))
            layers.append(Conv(f"{block}a", channels, width, 1, pointwise=True, sources=(source,)))
            layers.append(Conv(f"{block}b", width, width, 3, padding=1, stride=stride))
            sources = (f"{block}b", shortcut)
            last = Conv(f"{block}c", 5 * width, 4 * width, 1, added=True, pointwise=True, sources=sources)
            layers.append(last)
    return Network("resnet50", (3, 224, 224), (*layers, *classifier(2048, 1000)), spread=2)


def _stem() -> Conv:
    """A 7×7 convolution of stride 2, padded by 3, of images that are spread; then 3×3 pooling of stride 2."""
    return Conv(
        "stem",
        12,
        64,
        4,
        padding=2,
        end_padding=1,
        pool=2,
        pool_size=3,
        pool_padding=1,
        pool_end_padding=0,
        taps=3 * 7 * 7,
    )


def residual_stage(name: str, source: str, channels: int, width: int, blocks: int) -> list[Layer]:
    """``blocks`` residual blocks of two 3×3 convolutions on the map ``source`` of so many ``channels``; where
    these are not ``width``, the first block halves rows and columns. The shortcut comes first, so that it is
    complete long before it is added."""
    layers: list[Layer] = []
    for number in range(1, blocks + 1):
        block, stride = f"{name}_{number}", 1 if channels == width else 2
        shortcut = source
        if channels != width:
            shortcut = f"{block}s"
            layers.append(_projection(shortcut, source, channels, width, stride))
        layers.append(Conv(f"{block}a", channels, width, 3, padding=1, stride=stride, sources=(source,)))
        sources = (f"{block}a", shortcut)
        layers.append(Conv(f"{block}b", 2 * width, width, 3, padding=1, added=True, sources=sources))
        source, channels = layers[-1].name, width
    return layers


def _projection(name: str, source: str, channels: int, width: int, stride: int) -> Conv:
    """A shortcut to another number of channels."""
    return Conv(name, channels, width, 1, relu=False, stride=stride, pointwise=True, sources=(source,))


def tiny() -> Network:
    """A network of a few thousand cycles that touches every mode: for tests and examples."""
    return Network(
        "tiny",
        (2, 9, 11),
        (
            Conv("conv1", 2, 9, 3, padding=1, pool=2),
            Conv("conv2", 9, 10, 3, padding=1, relu=False),
            Dense("fc1", 10 * 4 * 5, 70),
            Dense("fc2", 70, 5, relu=False),
        ),
    )


NETWORKS: dict[str, Callable[[], Network]] = {
    "lenet": lenet,
    "tiny": tiny,
    "vgg16": vgg16,
    "vgg16-cifar": vgg16_cifar,
    "vgg16-cifar-half": vgg16_cifar_half,
    "cifar-small": cifar_small,
    "pneumonia": pneumonia,
    "resnet18": resnet18,
    "resnet20": resnet20,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "mobilenet": mobilenet,
    "mobilenet-v2": mobilenet_v2,
    "squeezenet": squeezenet,
    "alexnet": alexnet,
    "tiny-yolo": tiny_yolo,
    "unet-flat": unet_flat,
}

ALSO_CALLED = {"mobilenetv1": "mobilenet", "squeezenet1.1": "squeezenet", "tinyyolov2": "tiny-yolo"}
"""Other names, without hyphens."""

MISSING = {
    "efficientnet": "SiLU and gates (squeeze and excitation)",
    "mobilenetv3": "hard swish and gates (squeeze and excitation)",
}
"""Families of networks, and what those for large images need that the hardware lacks."""


def find_network(name: str) -> Network:
    """The network of that name (upper or lower case, with or without hyphens).

    Raises ``UnsupportedNetwork`` with what is missing for a family that is known not to run, ``ConfigError``
    for any other name.
    """
    known = ", ".join(NETWORKS)
    plain = name.lower().replace("-", "")
    plain = ALSO_CALLED.get(plain, plain).replace("-", "")
    if make := {key.replace("-", ""): make for key, make in NETWORKS.items()}.get(plain):
        return make()
    for family, missing in MISSING.items():
        if plain.startswith(family):
            raise UnsupportedNetwork(
                f"{name} needs {missing}, which the hardware has not: one without runs, from a torch module "
                f"or an ONNX file; networks with a name are {known}"
            )
    raise ConfigError(f"there is no network {name!r}: choose from {known}")
