"""Networks that add maps up: ResNets and what came of them."""

import torch
import torch.nn.functional as F
from torch import nn

from tests.census.parts import Function, Join, Net, Sum, block, conv, scores


def basic(channels, out, stride, shortcut="projection", groups=1):
    same = stride == 1 and channels == out
    if shortcut == "padding":  # option A: every second pixel, zeros for the channels that are new
        more = (out - channels) // 2
        way = Function(lambda x: F.pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, more, more)))
    else:
        way = block(*conv(channels, out, 1, stride, activation=None))
    body = block(*conv(channels, out, 3, stride, groups), *conv(out, out, 3, activation=None))
    return Sum(body, nn.Identity() if same else way, then=nn.ReLU(inplace=True))


def bottleneck(channels, out, stride, groups=1, scale=2, gate=None):
    inner = out // scale
    body = [*conv(channels, inner, 1), *conv(inner, inner, 3, stride, groups)]
    body += [*conv(inner, out, 1, activation=None), *([gate(out)] if gate else [])]
    same = stride == 1 and channels == out
    way = nn.Identity() if same else block(*conv(channels, out, 1, stride, activation=None))
    return Sum(block(*body), way, then=nn.ReLU(inplace=True))


def resnet(kind, depths, widths=(8, 16, 24, 32), stem="cifar", size=32, **options):
    layers = conv(3, widths[0], 3) if stem == "cifar" else conv(3, widths[0], 7, 2)
    if stem == "imagenet":
        layers.append(nn.MaxPool2d(3, 2, 1))
    channels = widths[0]
    for number, (depth, width) in enumerate(zip(depths, widths, strict=False)):
        for k in range(depth):
            layers.append(kind(channels, width, 2 if number and not k else 1, **options))
            channels = width
    return Net((3, size, size), *layers, *scores(channels))


class Preactivated(nn.Module):
    """He's second residual block: norm and ReLU in front of the convolutions."""

    def __init__(self, channels, out, stride):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(out)
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.way = nn.Conv2d(channels, out, 1, stride, bias=False) if channels != out or stride > 1 else None

    def forward(self, x):
        y = F.relu(self.norm1(x))
        way = x if self.way is None else self.way(y)
        y = self.conv2(F.relu(self.norm2(self.conv1(y))))
        return y + way


def preactivated(depths, widths=(8, 16, 24)):
    layers, channels = [nn.Conv2d(3, 8, 3, padding=1, bias=False)], 8
    for number, (depth, width) in enumerate(zip(depths, widths, strict=False)):
        for k in range(depth):
            layers.append(Preactivated(channels, width, 2 if number and not k else 1))
            channels = width
    return Net((3, 32, 32), *layers, nn.BatchNorm2d(channels), nn.ReLU(), *scores(channels))


class Gate(nn.Module):
    """Squeeze and excitation: every channel times a number of its own."""

    def __init__(self, channels, gate=nn.Sigmoid):
        super().__init__()
        self.down, self.up = nn.Linear(channels, channels // 4), nn.Linear(channels // 4, channels)
        self.gate = gate()

    def forward(self, x):
        y = self.gate(self.up(F.relu(self.down(x.mean((2, 3))))))
        return x * y[:, :, None, None]


def convmixer():
    """Depthwise 5×5 beside the map itself, then 1×1; GELU, which the hardware has not, is ReLU here."""
    layers = [nn.Conv2d(3, 12, 2, 2), nn.ReLU(), nn.BatchNorm2d(12)]
    for _ in range(2):
        depthwise = block(nn.Conv2d(12, 12, 5, padding=2, groups=12), nn.ReLU(), nn.BatchNorm2d(12))
        layers += [Sum(depthwise, nn.Identity()), nn.Conv2d(12, 12, 1), nn.ReLU(), nn.BatchNorm2d(12)]
    return Net((3, 32, 32), *layers, *scores(12))


def repvgg():
    """3×3, 1×1 and the map's own norm, added up."""

    def one(channels, out, stride):
        ways = [block(*conv(channels, out, k, stride, activation=None)) for k in (3, 1)]
        ways += [nn.BatchNorm2d(channels)] if channels == out and stride == 1 else []
        return Sum(*ways, then=nn.ReLU())

    return Net((3, 32, 32), one(3, 8, 2), one(8, 8, 1), one(8, 16, 2), one(16, 16, 1), *scores(16))


def darknet():
    """Darknet-53's blocks, with ReLU in place of the leaky one."""

    def one(channels):
        return Sum(block(*conv(channels, channels // 2, 1), *conv(channels // 2, channels, 3)), nn.Identity())

    return Net(
        (3, 32, 32), *conv(3, 8), *conv(8, 16, 3, 2), one(16), *conv(16, 24, 3, 2), one(24), *scores(24)
    )


class CrossStage(nn.Module):
    """CSPNet: half of the channels go round the blocks."""

    def __init__(self, channels):
        super().__init__()
        self.inner = block(*conv(channels // 2, channels // 2), *conv(channels // 2, channels // 2))
        self.out = block(*conv(channels, channels, 1))

    def forward(self, x):
        left, right = x.chunk(2, 1)
        return self.out(torch.cat([left, right + self.inner(right)], 1))


def csp():
    return Net((3, 32, 32), *conv(3, 8, 3, 2), CrossStage(8), *conv(8, 16, 3, 2), CrossStage(16), *scores(16))


def residual_autoencoder():
    """A denoiser: what it makes is added to the images."""
    body = block(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1))
    return Net((1, 24, 24), Sum(body, nn.Identity()))


def dense_and_sum():
    """Dual path: some channels are added, others joined."""
    half = Join(Sum(block(*conv(8, 8)), nn.Identity()), block(*conv(8, 4)))
    return Net((3, 32, 32), *conv(3, 8, 3, 2), half, *conv(12, 12, 3, 2), *scores(12))
