"""Average pooling as convolutions of equal weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d, pad

from pruning.importers.hardware import MOST_KERNEL, MOST_STRIDE, placed
from pruning.importers.values import Pool


class Window(NamedTuple):
    """Pooling that weighs every pixel of its windows with ``weight``; what else there is, is zeros around.

    kernel: (rows, columns); pads: pixels at the top, left, bottom and right.
    """

    kernel: tuple[int, int]
    stride: int
    pads: tuple[int, int, int, int]
    weight: float


def windows(pool: Pool, height: int, width: int) -> tuple[Window, ...] | None:
    """What does to maps of that size what ``pool`` does, one after the other; None if nothing does.

    A mean over a large map is that of means over 2×2 pixels, with zeros where there is an odd one: no less
    exact, since every pixel keeps its weight.
    """
    probe = torch.arange(height * width, dtype=torch.double).sin().add(2).view(1, 1, height, width)
    pooled, other = pool(probe), probe.flip(2, 3).square()
    for window in _candidates(height, width, (pooled.shape[2], pooled.shape[3])):
        found = sums(probe, window)
        if found.shape == pooled.shape:
            factor = float(pooled[0, 0, 0, 0] / found[0, 0, 0, 0])
            exact = torch.allclose(found * factor, pooled, rtol=1e-9, atol=0)
            # one number for a whole map says nothing of the window: some factor makes it of any
            if exact and torch.allclose(sums(other, window) * factor, pool(other), rtol=1e-9, atol=0):
                return (window._replace(weight=factor),)
    if pooled.shape[2:] == (1, 1):
        factor = float(pooled / probe.sum())
        if torch.allclose(pool(other), other.sum() * factor, rtol=1e-9, atol=0):
            return (*_halved(height, width, 4 * factor),)
    size = (height // max(1, pooled.shape[2]), width // max(1, pooled.shape[3]))
    if size[0] != size[1] or size[0] < 2 or size[0] % 2:
        return None
    even = avg_pool2d(probe, size[0])
    if even.shape != pooled.shape or not torch.allclose(pooled, even):
        return None
    rest = windows(lambda x: avg_pool2d(x, size[0] // 2), height // 2, width // 2)
    return rest and (Window((2, 2), 2, (0, 0, 0, 0), 0.25), *rest)


def counts_less_at_borders(pool: Pool, height: int, width: int) -> bool:
    """Whether it is of windows of equal weights, but for what it divides by: fewer pixels at the borders."""
    probe = torch.arange(height * width, dtype=torch.double).sin().add(2).view(1, 1, height, width)
    pooled, other = pool(probe), probe.flip(2, 3).square()
    if not torch.allclose(pool(torch.ones_like(probe)), torch.ones_like(pooled)):
        return False  # no means
    for window in _candidates(height, width, (pooled.shape[2], pooled.shape[3])):
        found = sums(probe, window)
        if found.shape == pooled.shape and torch.allclose(
            sums(other, window) * (pooled / found), pool(other)
        ):
            return True
    return False


def _candidates(height: int, width: int, result: tuple[int, int]) -> Iterator[Window]:
    if result == (1, 1) and height == width <= MOST_KERNEL:
        yield Window((height, width), 1, (0, 0, 0, 0), 1.0)
    for kernel in range(1, MOST_KERNEL + 1):
        for stride in range(1, MOST_STRIDE + 1):
            for before in range((kernel + 1) // 2 + 1):
                if before >= kernel:
                    continue
                # as many zeros at the end as the last window takes, none if it takes none
                ends = [
                    (n - 1) * stride + kernel - size - before
                    for n, size in zip(result, (height, width), strict=True)
                ]
                fits = placed((kernel, kernel), (before, before), stride, (height, width), result)
                if fits and all(-stride < end < kernel for end in ends):
                    bottom, right = (max(0, end) for end in ends)
                    yield Window((kernel, kernel), stride, (before, before, bottom, right), 1.0)


def sums(x: Tensor, window: Window) -> Tensor:
    """Of (n, 1, H, W): every window's pixels, times its weight."""
    top, left, bottom, right = window.pads
    weight = x.new_full((1, 1, *window.kernel), window.weight)
    return conv2d(pad(x, (left, right, top, bottom)), weight, stride=window.stride)


def _halved(height: int, width: int, weight: float) -> Iterator[Window]:
    """A weighted sum of all pixels; ``weight`` is four times that of each."""
    if height == width <= MOST_KERNEL:
        yield Window((height, width), 1, (0, 0, 0, 0), weight / 4)
        return
    yield Window((2, 2), 2, (0, 0, height % 2, width % 2), 0.25)
    yield from _halved(-(-height // 2), -(-width // 2), 4 * weight)
