"""Networks that join maps side by side: Inception, DenseNet, SqueezeNet, U-Net."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.census.parts import Join, Net, block, conv, scores


def inception(channels, ones, threes, fives, pooled, pool):
    return Join(
        block(*conv(channels, ones, 1)),
        block(*conv(channels, threes // 2, 1), *conv(threes // 2, threes, 3)),
        block(*conv(channels, fives // 2, 1), *conv(fives // 2, fives, 5)),
        block(pool, *conv(channels, pooled, 1)),
    )


def googlenet(pool):
    """Three blocks; the original's fourth branch and its pooling are maxima over 3×3."""
    between = nn.MaxPool2d(3, 2, 1) if isinstance(pool(), nn.MaxPool2d) else nn.MaxPool2d(2)
    return Net(
        (3, 32, 32),
        *conv(3, 8, 3),
        inception(8, 4, 8, 4, 4, pool()),
        between,
        inception(20, 4, 8, 4, 4, pool()),
        inception(20, 4, 8, 4, 4, pool()),
        *scores(20),
    )


def factorised():
    """Inception-v3's block of 1×7 and 7×1 kernels, and its mean over 3×3."""

    def rows(channels, out):
        return [*wide(channels, out, (1, 7), (0, 3)), *wide(out, out, (7, 1), (3, 0))]

    def wide(channels, out, kernel, padding):
        plain = nn.Conv2d(channels, out, kernel, padding=padding, bias=False)
        return [plain, nn.BatchNorm2d(out, eps=0.001), nn.ReLU()]

    body = Join(
        block(*conv(8, 4, 1)),
        block(*conv(8, 4, 1), *rows(4, 4)),
        block(nn.AvgPool2d(3, 1, 1), *conv(8, 4, 1)),
    )
    return Net((3, 32, 32), *conv(3, 8, 3, 2), body, *conv(12, 12, 3, 2), *scores(12))


class Dense(nn.Module):
    """DenseNet's layer, its output beside its input."""

    def __init__(self, channels, growth):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(4 * growth)
        self.conv1 = nn.Conv2d(channels, 4 * growth, 1, bias=False)
        self.conv2 = nn.Conv2d(4 * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return torch.cat([x, y], 1)


def densenet(depths=(3, 3), growth=4):
    layers, channels = [nn.Conv2d(3, 8, 3, padding=1, bias=False)], 8
    for number, depth in enumerate(depths):
        for _ in range(depth):
            layers.append(Dense(channels, growth))
            channels += growth
        if number < len(depths) - 1:
            layers += [nn.BatchNorm2d(channels), nn.ReLU(), nn.Conv2d(channels, channels // 2, 1, bias=False)]
            layers.append(nn.AvgPool2d(2))
            channels //= 2
    return Net((3, 32, 32), *layers, nn.BatchNorm2d(channels), nn.ReLU(), *scores(channels))


def densenet_imagenet():
    """With its stem: 7×7 of stride 2, and a maximum of 3×3."""
    net = densenet()
    stem = [*conv(3, 8, 7, 2), nn.MaxPool2d(3, 2, 1)]
    return Net((3, 64, 64), *stem, *list(net)[1:])


def fire(channels, squeeze, expand):
    return block(
        *(nn.Conv2d(channels, squeeze, 1), nn.ReLU(inplace=True)),
        Join(
            block(nn.Conv2d(squeeze, expand, 1), nn.ReLU(inplace=True)),
            block(nn.Conv2d(squeeze, expand, 3, padding=1), nn.ReLU(inplace=True)),
        ),
    )


def squeezenet(version, pool=None):
    """Versions 1.0 and 1.1 of torchvision; ``pool`` in place of their maxima over 3×3."""

    def maximum():
        return pool() if pool else nn.MaxPool2d(3, 2, ceil_mode=True)

    stem = nn.Conv2d(3, 12, 7, 2) if version == "1.0" else nn.Conv2d(3, 8, 3, 2)
    channels = stem.out_channels
    return Net(
        (3, 67, 67),
        *(stem, nn.ReLU(inplace=True), maximum(), fire(channels, 4, 8), fire(16, 4, 8), maximum()),
        *(fire(16, 4, 12), fire(24, 4, 12), nn.Dropout(), nn.Conv2d(24, 10, 1), nn.ReLU(inplace=True)),
        *(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()),
    )


class Unet(nn.Module):
    """Joins maps of one size; down is pooling, and nothing goes up: dilated kernels see as far."""

    shape = (1, 32, 32)

    def __init__(self, up=None):
        super().__init__()
        self.up = up
        self.first, self.second = block(*conv(1, 8), *conv(8, 8)), block(*conv(8, 12), *conv(12, 12))
        self.third = block(nn.Conv2d(12, 8, 3, padding=2, dilation=2), nn.ReLU())
        self.last = block(*conv(16, 8), nn.Conv2d(8, 2, 1))
        self.pool = nn.MaxPool2d(2)

    def forward(self, x):
        first = self.first(x)
        if self.up is None:
            return self.last(torch.cat([first, self.third(self.second(first))], 1))
        inner = self.up(self.third(self.second(self.pool(first))))
        return self.last(torch.cat([first, inner], 1))


def segmentation():
    """A fully convolutional network whose upsampling ends it, the host's."""
    return Net(
        (3, 32, 32),
        *(*conv(3, 8, 3, 2), *conv(8, 12, 3, 2), nn.Conv2d(12, 5, 1)),
        nn.Upsample(scale_factor=4, mode="bilinear"),
    )


class TwoColumns(nn.Module):
    """Two columns of kernels of 3×3 and 5×5, flattened and joined."""

    shape = (1, 28, 28)

    def __init__(self):
        super().__init__()
        self.left = block(*conv(1, 4, 3, 2), *conv(4, 4, 3, 2))
        self.right = block(*conv(1, 4, 5, 2), *conv(4, 6, 5, 2))
        self.head = nn.Linear(10 * 49, 10)

    def forward(self, x):
        return self.head(torch.cat([self.left(x).flatten(1), self.right(x).flatten(1)], 1))
