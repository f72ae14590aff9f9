"""Networks of few operations: depthwise and grouped convolutions, shuffles, gates."""

import torch
from torch import nn

from tests.census.parts import Net, Sum, block, conv, scores
from tests.census.residual import Gate


def separable(channels, out, stride=1, activation=nn.ReLU):
    return [
        *conv(channels, channels, 3, stride, channels, activation),
        *conv(channels, out, 1, 1, 1, activation),
    ]


def mobilenet(activation=nn.ReLU):
    return Net(
        (3, 32, 32),
        *conv(3, 8, 3, 2, activation=activation),
        *separable(8, 12, 1, activation),
        *separable(12, 16, 2, activation),
        *separable(16, 24, 2, activation),
        *scores(24),
    )


def inverted(channels, out, stride, kernel=3, activation=nn.ReLU, gate=None, wider=2):
    inner = channels * wider
    body = [*conv(channels, inner, 1, activation=activation)]
    body += conv(inner, inner, kernel, stride, inner, activation)
    body += [gate(inner)] if gate else []
    body += conv(inner, out, 1, activation=None)
    return Sum(block(*body), nn.Identity()) if stride == 1 and channels == out else block(*body)


def inverted_net(activation=nn.ReLU, gate=None, last=True):
    return Net(
        (3, 32, 32),
        *conv(3, 8, 3, 2, activation=activation),
        inverted(8, 8, 1, 3, activation, gate),
        inverted(8, 12, 2, 5, activation, gate),
        inverted(12, 12, 1, 5, activation, gate),
        *(conv(12, 24, 1, activation=activation) if last else []),
        *scores(24 if last else 12),
    )


def mobilenet_v3():
    return inverted_net(nn.Hardswish, lambda channels: Gate(channels, nn.Hardsigmoid))


def efficientnet(activation=nn.SiLU, gate=Gate):
    return inverted_net(activation, gate)


class Shuffled(nn.Module):
    """ShuffleNet's unit: grouped 1×1, channels shuffled, depthwise, grouped 1×1."""

    def __init__(self, channels, groups=2):
        super().__init__()
        self.first = block(*conv(channels, channels, 1, groups=groups))
        self.middle = block(*conv(channels, channels, 3, groups=channels, activation=None))
        self.last = block(*conv(channels, channels, 1, groups=groups, activation=None))
        self.groups = groups

    def forward(self, x):
        y = shuffle(self.first(x), self.groups)
        return torch.relu(x + self.last(self.middle(y)))


def shuffle(x, groups):
    batch, channels, height, width = x.shape
    return x.view(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(x.shape)


def shufflenet():
    return Net(
        (3, 32, 32),
        *conv(3, 8, 3, 2),
        Shuffled(8),
        Shuffled(8),
        *conv(8, 16, 3, 2),
        Shuffled(16),
        *scores(16),
    )


class Halves(nn.Module):
    """ShuffleNetV2's unit: one half of the channels passes."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.body = block(*conv(half, half, 1), *conv(half, half, 3, 1, half, None), *conv(half, half, 1))

    def forward(self, x):
        left, right = x.chunk(2, dim=1)
        return shuffle(torch.cat((left, self.body(right)), dim=1), 2)


def shufflenet_v2():
    return Net(
        (3, 32, 32), *conv(3, 8, 3, 2), Halves(8), Halves(8), *conv(8, 16, 3, 2), Halves(16), *scores(16)
    )


def keywords():
    """DS-CNN for keyword spotting (MLPerf Tiny): a rectangular kernel of stride 2 on a spectrogram."""
    stem = [nn.Conv2d(1, 8, (7, 4), (2, 2), (3, 1), bias=False), nn.BatchNorm2d(8), nn.ReLU()]
    return Net((1, 49, 10), *stem, *separable(8, 8), *separable(8, 8), *scores(8, 12))


def anomaly():
    """MLPerf Tiny's autoencoder: fully connected layers with norms, 640 numbers in and out."""
    layers, features = [nn.Flatten()], 640
    for width in (32, 32, 8, 32, 32):
        layers += [nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU()]
        features = width
    return Net((10, 8, 8), *layers, nn.Linear(features, 640))


def visual_wake_words():
    """MLPerf Tiny's MobileNetV1 of a quarter of the width, at 96×96."""
    return Net(
        (3, 96, 96),
        *conv(3, 8, 3, 2),
        *separable(8, 16, 2),
        *separable(16, 24, 2),
        *separable(24, 32, 2),
        nn.AvgPool2d(6),
        nn.Flatten(),
        nn.Linear(32, 2),
        nn.Softmax(1),
    )
