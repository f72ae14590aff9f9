"""What the networks of the census are built of."""

import torch
from torch import nn


class Net(nn.Sequential):
    """Modules one after the other, for images of ``shape``."""

    def __init__(self, shape, *modules):
        super().__init__(*modules)
        self.shape = shape


class Sum(nn.Module):
    """The sum of what branches make, and what follows it."""

    def __init__(self, *branches, then=None):
        super().__init__()
        self.branches, self.then = nn.ModuleList(branches), then or nn.Identity()

    def forward(self, x):
        first, *others = (branch(x) for branch in self.branches)
        for other in others:
            first = first + other
        return self.then(first)


class Join(nn.Module):
    """What branches make, side by side."""

    def __init__(self, *branches):
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x):
        return torch.cat([branch(x) for branch in self.branches], 1)


class Function(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def flat():
    return nn.Flatten()


def conv(channels, out, kernel=3, stride=1, groups=1, activation=nn.ReLU, padding=None):
    """A convolution with its norm and what follows it, as modules."""
    padding = kernel // 2 if padding is None else padding
    plain = nn.Conv2d(channels, out, kernel, stride, padding, groups=groups, bias=False)
    return [plain, nn.BatchNorm2d(out), *([activation()] if activation else [])]


def block(*modules):
    return nn.Sequential(*modules)


def scores(channels, classes=10):
    """A mean of every map, and a fully connected layer."""
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, classes)]
