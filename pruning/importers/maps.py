"""What a chain's map looks like between two layers: its shape, and what waits for the next layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from hw.contract.network import MOST, Shape
from hw.contract.spectrum import TILE
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.importers.refusals import refuse, unsupported

MOST_POOLED = 1 << 22
"""Pixels of a map of which is tried whether average pooling does anything."""


class Maps:
    """The map of a chain in the making, ``batch`` images of ``shape`` (C, H, W) at first.

    Average pooling waits for a fully connected layer and becomes part of its weights; padding waits for a
    convolution. ``position`` says in errors where an operation stands; all methods raise
    ``UnsupportedNetwork``.

    Members: ``shape``, of what the operations so far compute for one image.
    """

    def __init__(self, name: str, shape: Sequence[int], batch: int) -> None:
        if len(shape) != 3 or not all(1 <= size <= MOST for size in shape):
            raise ConfigError(
                f"the input shape must be (channels, height, width) of 1 to {MOST:,} each, not {tuple(shape)}"
            )
        self.name, self.input, self.batch = name, (shape[0], shape[1], shape[2]), batch
        self.shape: tuple[int, ...] = self.input
        self._whole: tuple[int, ...] = self.input
        """The shape without reshapes: (C, H, W), or (features,) after a fully connected layer."""
        self._averaging: Tensor | None = None
        """(pixels of the map, pixels after average pooling), until the next layer takes it over."""
        self._padding: tuple[int, int, int, int] | None = None
        """Zeros at the top, left, bottom, right, until the next convolution takes them over."""
        self._padded_at = ""

    def indices(self) -> Tensor:
        """The map's values as numbers from 0: what an operation makes of them says where it moves values."""
        return torch.arange(self.batch * prod(self.shape), dtype=torch.int32).view(self.batch, *self.shape)

    def move(self, position: str, operation: str, moved: Tensor) -> None:
        """An operation that makes ``moved`` of :meth:`indices`: in order still, it is a reshape."""
        order = self.indices().flatten()
        if moved.numel() != order.numel() or not torch.equal(moved.flatten(), order):
            raise unsupported(position, operation)
        self.reshape(position, moved.shape)

    def reshape(self, position: str, shape: Sequence[int]) -> None:
        """To ``shape``, batch first, of as many elements: flattened, as it was, or a way between them."""
        rest = tuple(shape[1:])
        if (self.batch, *self.shape) == tuple(shape):
            return
        self._nothing_padded()
        axes = _longer(rest)
        known = (_longer(self._whole), _longer((self._whole[0], prod(self._whole[1:]))))
        if shape[0] != self.batch or (len(axes) > 1 and axes not in known):
            raise refuse(
                position,
                f"a reshape of {size_of((self.batch, *self.shape))} to {size_of(tuple(shape))}, and the "
                "hardware knows maps and flattened maps",
                "flatten everything but the batch (nn.Flatten)",
            )
        self.shape = rest

    def pad(self, position: str, operation: str, sides: Sequence[int], value: float) -> None:
        """``sides``: pixels added at the top, left, bottom and right."""
        if not any(sides):
            return
        channels, height, width = self._map(position)
        if value != 0 or min(sides) < 0:
            raise unsupported(position, operation)
        before = self._padding or (0, 0, 0, 0)
        top, left, bottom, right = (a + b for a, b in zip(before, sides, strict=True))
        self._padding, self._padded_at = (top, left, bottom, right), position
        self.shape = self._whole = (channels, height + sides[0] + sides[2], width + sides[1] + sides[3])

    def average(self, position: str, pool: Callable[[Tensor], Tensor]) -> None:
        """Any average pooling or sum of pixels: ``pool`` does it to (n, 1, H, W).

        One that does nothing to maps of this size is dropped, any other waits for a fully connected layer.
        """
        _, height, width = self._map(position, averaged=True)
        pixels = height * width
        if pixels > MOST_POOLED:
            raise refuse(
                position, f"average pooling of {height}×{width} maps", "use 2×2 max pooling in front of it"
            )
        probe = torch.arange(pixels, dtype=torch.double).sin().view(1, 1, height, width)  # no two alike
        pooled = pool(probe)
        if pooled.shape == probe.shape and torch.equal(pooled, probe):
            return
        self._nothing_padded()
        if max(height, width) > TILE:
            raise refuse(
                position,
                f"average pooling of {height}×{width} maps, and the fully connected layer that it becomes "
                f"part of takes maps of at most {TILE}×{TILE}",
                "use 2×2 max pooling in front of it",
            )
        matrix = pool(torch.eye(pixels, dtype=torch.double).view(pixels, 1, height, width)).flatten(1)
        self._averaging = matrix if self._averaging is None else self._averaging @ matrix
        self.shape = self._whole = (self.shape[0], *pooled.shape[2:])

    def global_average(self, position: str, shape: Sequence[int], sums: bool = False) -> None:
        """The mean (or sum) of every map's pixels, to ``shape``, batch first."""
        self.reshape(position, (self.batch, *self._whole))
        self.average(position, lambda x: (x.sum if sums else x.mean)((2, 3), keepdim=True))
        self.reshape(position, shape)

    def pixels_of(self, rank: int, axes: Sequence[int]) -> bool:
        """Whether ``axes`` of a tensor of that rank, batch first, are all pixels of a map and no more."""
        found = {axis % rank for axis in axes}
        if len(self._whole) != 3:
            return False
        as_map = self.shape == self._whole and found == {2, 3}
        as_rows = self.shape == (self._whole[0], prod(self._whole[1:])) and found == {2}
        return as_map or as_rows

    def per_channel(self, value: Tensor) -> Tensor | None:
        """``value``, which is put together with all images of the map, as (channels,).

        None if it differs from pixel to pixel or image to image, or makes the map larger.
        """
        return one_per_channel(value, (self.batch, *self.shape), self._whole[0])

    def _map(self, position: str, averaged: bool = False) -> Shape:
        """The shape, which must be that of a map, and of an averaged one only if that is allowed."""
        if len(self.shape) != 3 or self.shape != self._whole:
            raise refuse(position, "it stands after a flattened map", "put it in front of the flattening")
        if self._averaging is not None and not averaged:
            raise refuse(
                position,
                "it stands after average pooling, which is only possible in front of a fully connected layer",
                "use 2×2 max pooling instead",
            )
        return self.shape[0], self.shape[1], self.shape[2]

    def _nothing_padded(self) -> None:
        """Raises if a padding waits, for operations that do not leave zeros where they are."""
        if self._padding is not None:
            raise self._refuse_padding()

    def _refuse_padding(self) -> UnsupportedNetwork:
        return refuse(
            self._padded_at,
            "padding is zero, and part of a convolution",
            "give the convolution after it the padding",
        )


def one_per_channel(value: Tensor, shape: Sequence[int], channels: int) -> Tensor | None:
    """:meth:`Maps.per_channel` for maps of ``shape``, batch first, flattened or not."""
    try:
        spread = value.expand(*shape)
    except RuntimeError:
        return None
    own = spread[tuple(slice(None if step else 1) for step in spread.stride())]  # what repeats, once
    end = next((k for k in range(2, len(shape)) if prod(shape[1:k]) == channels), len(shape))
    columns = own.reshape(len(own), channels if prod(own.shape[1:end]) > 1 else 1, -1)
    first = columns[0, :, 0]
    return first.expand(channels) if bool((columns == first[:, None]).all()) else None


def _longer(shape: Sequence[int]) -> list[int]:
    """The axes that have more than one element."""
    return [size for size in shape if size != 1]


def size_of(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
