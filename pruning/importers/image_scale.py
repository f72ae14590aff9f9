"""Factors and offsets of images: the mean that is subtracted, the deviation that is divided by.

They wait until a layer reads the images and become part of its weights and bias. Zeros that a convolution
adds around scaled images are not what zeros around the pixels are: there an offset needs a *constant
channel*, white wherever the image is, whose kernel adds it up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from hw.util.documents import shown
from hw.util.errors import ConfigError

Numbers = float | Sequence[float]
"""One for every channel of the images, or one for all."""


@dataclass(frozen=True, eq=False)
class Scale:
    """What becomes of every value that is seen: times ``factor``, plus ``offset``, both of the shape of what
    is seen and in double precision. position: where the first of the operations stands."""

    factor: Tensor
    offset: Tensor
    position: str

    @property
    def signed(self) -> bool:
        """Whether pixels of 0 to 1 may come out below zero."""
        return bool((torch.minimum(self.offset, self.offset + self.factor) < 0).any())

    @property
    def nothing(self) -> bool:
        """Whether values stay what they are."""
        return bool((self.factor == 1).all() and (self.offset == 0).all())

    def then(self, factor: Tensor, offset: Tensor) -> Scale:
        """With another factor and offset behind it."""
        return Scale(self.factor * factor, self.offset * factor + offset, self.position)

    def moved(self, index: Tensor) -> Scale:
        """Of what stands at ``index`` in the values seen so far, by number; -1: zeros."""
        there = index >= 0
        at = index.clamp(min=0).long()
        factor, offset = (numbers.flatten()[at] * there for numbers in (self.factor, self.offset))
        return Scale(factor, offset, self.position)

    def turned(self) -> Scale:
        """Of a map (C, H, W) seen as (H, W, C)."""
        return Scale(self.factor.permute(1, 2, 0), self.offset.permute(1, 2, 0), self.position)

    def per_channel(self) -> tuple[Tensor, Tensor] | None:
        """(factor, offset), both (C,); None if they differ from pixel to pixel."""
        flat = [numbers.flatten(1) for numbers in (self.factor, self.offset)]
        same = all(bool((numbers == numbers[:, :1]).all()) for numbers in flat)
        return (flat[0][:, 0], flat[1][:, 0]) if same else None


class Folded(NamedTuple):
    """weight: (out, in, ...) for pixels as they are; bias: (out,) or None; constant: (out, 1, R, C) for a
    channel that is 1 wherever the image is, or None."""

    weight: Tensor
    bias: Tensor | None
    constant: Tensor | None


def folded(factor: Tensor, offset: Tensor, weight: Tensor, bias: Tensor | None, outside: bool) -> Folded:
    """A layer that reads scaled images, ``weight`` (out, in, ...), as one that reads pixels.

    factor, offset: (in,), of every input. outside: windows reach beyond the images, where there are zeros.
    """
    spread = (factor.shape[0], *[1] * (weight.dim() - 2))
    exact = weight.double()
    scaled = (exact * factor.view(spread).to(exact)).to(weight.dtype)
    if not bool((offset != 0).any()):
        return Folded(scaled, bias, None)
    added = (exact * offset.view(spread).to(exact)).sum(1, keepdim=True)
    if outside:
        return Folded(scaled, bias, added.to(weight.dtype))
    total = added.flatten(1).sum(1)
    total = total if bias is None else total + bias.double()
    return Folded(scaled, total.to(weight.dtype), None)


def joined(scales: list[Scale], axis: int) -> Scale:
    """Of values side by side along ``axis``."""
    factor, offset = (
        torch.cat([getattr(scale, name) for scale in scales], axis) for name in ("factor", "offset")
    )
    return Scale(factor, offset, scales[0].position)


def of_mean(mean: Numbers | None, std: Numbers | None, channels: int) -> tuple[Tensor, Tensor]:
    """(factor, offset), both (channels, 1, 1), of (images - mean) / std. Raises ``ConfigError`` for numbers
    that are none, too many or too few."""
    found = []
    for what, given, default in (("mean", mean, 0.0), ("std", std, 1.0)):
        numbers = [default] if given is None else list(given) if isinstance(given, Sequence) else [given]
        if len(numbers) not in (1, channels):
            raise ConfigError(
                f"{what} is {len(numbers)} numbers for images of {channels} channels: give one, or one per "
                "channel"
            )
        for number in numbers:
            fine = isinstance(number, int | float) and math.isfinite(number)
            if not fine or (what == "std" and number <= 0):
                above = " above 0" if what == "std" else ""
                raise ConfigError(f"{what} must be finite numbers{above}, not {shown(number)}")
        found.append(torch.tensor(numbers, dtype=torch.double).expand(channels).view(-1, 1, 1))
    return 1 / found[1], -found[0] / found[1]


def unscaled(shape: tuple[int, ...], position: str = "") -> Scale:
    """Of values as they are."""
    factor, offset = torch.ones((), dtype=torch.double), torch.zeros((), dtype=torch.double)
    return Scale(factor.expand(shape), offset.expand(shape), position)
