"""Well-known networks for photographs: MobileNet, SqueezeNet, AlexNet, a detector, a segmenter.

Where the first convolution has a stride, the host spreads the images (``Network.spread``), so that it is one
of a smaller kernel and stride 1.
"""

from __future__ import annotations

from dataclasses import replace

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense
from hw.contract.network.graph import Network
from hw.contract.network.layers import Layer
from hw.contract.spectrum import TILE

MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""By stage: how much wider blocks are inside, channels, blocks, stride of the first."""

SQUEEZENET = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
"""Channels of every fire module: squeezed, and of each of both expansions."""


def average(name: str, channels: int, size: int) -> Conv:
    """The mean of maps of ``size`` × ``size`` pixels, at most 8×8."""
    end = TILE - size
    return Conv(name, channels, channels, TILE, relu=False, end_padding=end, groups=channels, average=True)


def classifier(channels: int, classes: int) -> tuple[Layer, Layer]:
    """The mean of a map of 7×7 pixels, and class scores."""
    return average("average", channels, 7), Dense("fc", channels, classes, relu=False)


def mobilenet() -> Network:
    """MobileNet of width 1 for images of 224 × 224 (A. Howard et al., arXiv:1704.04861, table 1)."""
    layers: list[Layer] = [_stem_of_three(32)]
    widths = (64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)
    for number, width in enumerate(widths, 1):
        channels = layers[-1].outputs
        stride = 2 if number in (2, 4, 6, 12) else 1
        depthwise = Conv(
            f"depthwise{number}", channels, channels, 3, padding=1, stride=stride, groups=channels
        )
        layers += [depthwise, Conv(f"pointwise{number}", channels, width, 1, pointwise=True)]
    return Network("mobilenet", (3, 224, 224), (*layers, *classifier(1024, 1000)), spread=2)


def mobilenet_v2() -> Network:
    """MobileNetV2 of width 1 for images of 224 × 224 (M. Sandler et al., arXiv:1801.04381, table 2), with its
    ReLU6."""
    layers: list[Layer] = [_stem_of_three(32, clip=6.0)]
    number = 0
    for wider, width, blocks, first in MOBILENET_V2:
        for stride in (first, *[1] * (blocks - 1)):
            number += 1
            source, channels = layers[-1].name, layers[-1].outputs
            inner = channels * wider
            if wider > 1:
                layers.append(Conv(f"expand{number}", channels, inner, 1, pointwise=True, clip=6.0))
            depthwise = Conv(
                f"depthwise{number}", inner, inner, 3, padding=1, stride=stride, groups=inner, clip=6.0
            )
            layers.append(depthwise)
            if stride == 1 and channels == width:
                sources = (depthwise.name, source)
                project = Conv(f"project{number}", inner + width, width, 1, added=True, sources=sources)
            else:
                project = Conv(f"project{number}", inner, width, 1)
            layers.append(replace(project, relu=False, pointwise=True))
    layers.append(Conv("last", layers[-1].outputs, 1280, 1, pointwise=True, clip=6.0))
    return Network("mobilenet-v2", (3, 224, 224), (*layers, *classifier(1280, 1000)), spread=2)


def _stem_of_three(width: int, clip: float | None = None) -> Conv:
    """A 3×3 convolution of stride 2, padded by 1, of images that are spread."""
    return Conv("stem", 12, width, 2, padding=1, end_padding=0, taps=3 * 3 * 3, clip=clip)


def squeezenet() -> Network:
    """SqueezeNet 1.1 for images of 224 × 224 (F. Iandola et al., arXiv:1602.07360; version 1.1 is that of
    their repository). It ends in the mean of a map of 13 × 13 pixels: first of 2×2 of them."""
    layers: list[Layer] = [Conv("stem", 12, 64, 2, taps=3 * 3 * 3, pool=2, pool_size=3)]
    sources: tuple[str, ...] = ()
    for number, (squeezed, expanded) in enumerate(SQUEEZENET, 2):
        channels = layers[-1].outputs * max(1, len(sources))
        squeeze = Conv(f"fire{number}_squeeze", channels, squeezed, 1, pointwise=True, sources=sources)
        pool, window = (2, 3) if number in (3, 5) else (1, None)
        expansions = [
            Conv(
                f"fire{number}_expand{kernel}",
                squeezed,
                expanded,
                kernel,
                padding=kernel // 2,
                pool=pool,
                pool_size=window,
                pointwise=kernel == 1,
                sources=(squeeze.name,),
            )
            for kernel in (1, 3)
        ]
        layers += [squeeze, *expansions]
        sources = (expansions[0].name, expansions[1].name)
    layers.append(Conv("conv10", 512, 1000, 1, pointwise=True, sources=sources))
    layers.append(Conv("average2", 1000, 1000, 2, relu=False, end_padding=1, stride=2, groups=1000, taps=0))
    layers.append(average("average", 1000, 7))
    return Network("squeezenet", (3, 224, 224), tuple(layers), spread=2)


def alexnet() -> Network:
    """AlexNet for images of 224 × 224 in one column, without response normalisation (A. Krizhevsky,
    arXiv:1404.5997). Pooling behind its 5×5 kernel is a layer of its own: in one layer with the kernel a tile
    would give one pixel."""
    return Network(
        "alexnet",
        (3, 224, 224),
        (
            Conv("conv1", 48, 64, 4, padding=1, taps=3 * 11 * 11, pool=2, pool_size=3),
            Conv("conv2", 64, 192, 5, padding=2),
            Conv("pool2", 192, 192, 1, pool=2, pool_size=3, groups=192, taps=0, pointwise=True),
            Conv("conv3", 192, 384, 3, padding=1),
            Conv("conv4", 384, 256, 3, padding=1),
            Conv("conv5", 256, 256, 3, padding=1, pool=2, pool_size=3),
            Dense("fc6", 256 * 6 * 6, 4096),
            Dense("fc7", 4096, 4096),
            Dense("fc8", 4096, 1000, relu=False),
        ),
        spread=4,
    )


def tiny_yolo() -> Network:
    """A detector as Tiny YOLOv2 is one (J. Redmon and A. Farhadi, arXiv:1612.08242), for images of 416 × 416
    and the 20 classes of VOC: a map of 13 × 13 pixels with 5 boxes of 25 numbers each. With ReLU in place of
    a leaky one, and without its pooling of stride 1."""
    layers: list[Layer] = []
    channels = 3
    for number, width in enumerate((16, 32, 64, 128, 256, 512, 1024, 1024), 1):
        layers.append(Conv(f"conv{number}", channels, width, 3, padding=1, pool=2 if number < 6 else 1))
        channels = width
    layers.append(Conv("boxes", channels, 5 * (4 + 1 + 20), 1, relu=False, pointwise=True))
    return Network("tiny-yolo", (3, 416, 416), tuple(layers))


def unet_flat() -> Network:
    """A segmenter as U-Net is one (O. Ronneberger, P. Fischer and T. Brox, arXiv:1505.04597), but that inner
    maps are as large as outer ones: dilated kernels, 3×3 in 5×5, see as far as pooling would let them, and
    nothing is enlarged. Two classes for every pixel of an image of 128 × 128."""
    return Network(
        "unet-flat",
        (3, 128, 128),
        (
            Conv("down1", 3, 32, 3, padding=1),
            Conv("down2", 32, 32, 3, padding=1),
            Conv("inner1", 32, 64, 5, padding=2, taps=9 * 32),
            Conv("inner2", 64, 64, 5, padding=2, taps=9 * 64),
            Conv("up1", 64, 32, 3, padding=1),
            Conv("up2", 64, 32, 3, padding=1, sources=("down2", "up1")),
            Conv("classes", 32, 2, 1, relu=False, pointwise=True),
        ),
    )
