"""ResNet-18 and ResNet-20, to prune and fine-tune in the spectral domain; both can be converted.

K. He, X. Zhang, S. Ren and J. Sun, arXiv:1512.03385: ResNet-18 is the first column of table 1, ResNet-20 the
network of section 4.2 with n = 3. :func:`pruning.prune_modules_` prunes every 3×3 convolution: 17 of
the one (with its 7×7), 19 of the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import pad, relu


def resnet18(classes: int = 1000) -> ResNet:
    """For images of 3×224×224. 11.7 million weights."""
    stem = [nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False), nn.BatchNorm2d(64), nn.ReLU()]
    return ResNet([*stem, nn.MaxPool2d(3, stride=2, padding=1)], (64, 128, 256, 512), 2, classes, True)


def resnet20(classes: int = 10) -> ResNet:
    """For images of 3×32×32, as in CIFAR-10. 0.27 million weights."""
    stem = [nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    return ResNet(stem, (16, 32, 64), 3, classes, False)


class ResNet(nn.Module):
    """Stages of ``blocks`` blocks; every stage but the first halves rows and columns of its map.

    ``widths``: channels per stage. ``projection``: shortcuts that change the shape are 1×1 convolutions
    (option B of the paper), else they have no weights (option A). ``forward`` takes (B, 3, H, W) and returns
    (B, classes).
    """

    def __init__(
        self, stem: Sequence[nn.Module], widths: Sequence[int], blocks: int, classes: int, projection: bool
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential(*stem)
        self.stages = nn.Sequential()
        channels = widths[0]
        for width in widths:
            stage = nn.Sequential()
            for _ in range(blocks):
                stage.append(Block(channels, width, projection))
                channels = width
            self.stages.append(stage)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:  # (B, 3, H, W) -> (B, classes)
        return self.fc(self.stages(self.stem(x)).mean((2, 3)))


class Block(nn.Module):
    """relu(shortcut(x) + F(x)), F two 3×3 convolutions; of stride 2 where the channels grow."""

    def __init__(self, channels: int, width: int, projection: bool) -> None:
        super().__init__()
        stride = 1 if width == channels else 2
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 and projection:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )
        elif stride > 1:
            self.shortcut = Subsample(width - channels)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(relu(self.norm1(self.conv1(x)))))
        return relu(self.shortcut(x) + y)


class Subsample(nn.Module):
    """Every second row and column, and ``added`` channels of zeros after the others."""

    def __init__(self, added: int) -> None:
        super().__init__()
        self.added = added

    def forward(self, x: Tensor) -> Tensor:
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.added))
