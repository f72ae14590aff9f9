"""What a map looks like between two layers: its shape, which of its values are there, what waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import torch
from torch import Tensor

from hw.contract.network import MOST, Shape
from hw.util.errors import ConfigError
from pruning.importers.image_scale import Scale
from pruning.importers.kernels import selection
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.values import Average, Pool, Value

MOST_POOLED = 1 << 22
"""Pixels of a map of which is tried whether average pooling does anything."""


class Maps:
    """Maps of a network in the making, for ``batch`` images of ``shape`` (C, H, W).

    Average pooling waits for a fully connected layer and becomes part of its weights, padding waits for a
    convolution, and an order of values for either; other readers get layers that do it. ``position`` says in
    errors where an operation stands; all methods raise ``UnsupportedNetwork``.
    """

    def __init__(self, name: str, shape: Sequence[int], batch: int) -> None:
        if len(shape) != 3 or not all(1 <= size <= MOST for size in shape):
            raise ConfigError(
                f"the input shape must be (channels, height, width) of 1 to {MOST:,} each, not {tuple(shape)}"
            )
        self.name, self.input, self.batch = name, (shape[0], shape[1], shape[2]), batch
        self.images = Value((None,), self.input, self.input)

    # --- operations that move values ----------------------------------------------------------------

    def move(
        self, value: Value, position: str, operation: str, function: Callable[[Tensor], Tensor]
    ) -> Value:
        """An operation that moves values: ``function`` does it to tensors of a batch of maps.

        It gets the numbers of the values, from 0, -1 for zeros: what it makes of them says where it moves
        them.
        """
        # Of values that are scaled two may be the same pixel and differ: so they go by position.
        by_position = value if value.scale is None else _by_position(value)
        given = self._numbered(by_position)
        moved = function(given)
        if moved.shape == given.shape and torch.equal(moved, given):
            return value
        if (last := _turned(value, given, moved)) is not None:
            return replace(value, last=last)
        if value.padding is not None:
            value = by_position = self.settled(value, position)
            given = self._numbered(value)
            moved = function(given)
        count, first = prod(by_position.whole), moved[:1]
        if len(moved) != self.batch or not torch.equal(moved, self._images(first, count)):
            if moved.numel() == given.numel() and torch.equal(moved.flatten(), given.flatten()):
                raise refuse(
                    position,
                    f"a reshape of {size_of(tuple(given.shape))} to {size_of(tuple(moved.shape))}, and the "
                    "hardware takes one image at a time",
                    "flatten everything but the batch (nn.Flatten)",
                )
            raise unsupported(position, operation)
        if value.scale is None:
            return _as_map(value, first[0], None)
        index, numbers = first[0], value.numbers().flatten()
        index = torch.where(index >= 0, numbers[index.clamp(min=0).long()], -1)
        return _as_map(value, index, value.scale.moved(first[0]))

    def _numbered(self, value: Value) -> Tensor:
        numbers = value.numbers()
        if value.padding is not None:
            top, left, bottom, right = value.padding
            numbers = torch.nn.functional.pad(numbers, (left, right, top, bottom), value=-1)
        if value.last:
            numbers = numbers.permute(1, 2, 0)
        # as contiguous() leaves them: views of what was turned are legal behind it
        return self._images(numbers[None].contiguous(), prod(value.whole))

    def _images(self, numbers: Tensor, count: int) -> Tensor:
        """The numbers (1, ...) of the first image for all images of the batch."""
        images = torch.arange(self.batch, dtype=numbers.dtype).view(-1, *[1] * (numbers.dim() - 1)) * count
        return torch.where(numbers < 0, numbers, numbers + images)

    def still(self, value: Value, position: str) -> Value:
        """``value`` without padding that waits."""
        return value if value.padding is None else self.settled(value, position)

    def settled(self, value: Value, position: str) -> Value:
        """``value`` as a map of its own for which nothing waits."""
        raise NotImplementedError

    def pad(self, value: Value, position: str, operation: str, sides: Sequence[int], number: float) -> Value:
        """``sides``: pixels added at the top, left, bottom and right."""
        if not any(sides):
            return value
        channels, height, width = self.map_of(value, position)
        if value.vector:
            raise refuse(
                position,
                "it pads what a fully connected layer makes, or a convolution of a map of one pixel",
                "leave it out",
            )
        if number != 0:
            raise unsupported(position, operation)
        top, left, bottom, right = (a + b for a, b in zip(value.padding or (0, 0, 0, 0), sides, strict=True))
        shape = (channels, height + sides[0] + sides[2], width + sides[1] + sides[3])
        return replace(value, padding=(top, left, bottom, right), shape=shape)

    # --- average pooling ----------------------------------------------------------------------------

    def average(self, value: Value, position: str, pool: Pool) -> Value:
        """Any average pooling or sum of pixels: ``pool`` does it to (n, 1, H, W).

        One that does nothing to maps of this size is dropped, any other waits.
        """
        return self._averaging(self.channels_first(value, position), position, pool)

    def _averaging(self, value: Value, position: str, pool: Pool) -> Value:
        """The same, wherever operations see the channels."""
        channels, height, width = self.map_of(value, position)
        if height * width > MOST_POOLED:
            raise refuse(
                position, f"average pooling of {height}×{width} maps", "use 2×2 max pooling in front of it"
            )
        probe = (
            torch.arange(height * width, dtype=torch.double).sin().view(1, 1, height, width)
        )  # no two alike
        pooled = pool(probe)
        if pooled.shape == probe.shape and torch.equal(pooled, probe):
            return value
        if value.index is not None or value.padding is not None or value.scale is not None:
            value = self.settled(value, position)
        before = value.average or Average(position, (height, width), ())
        shape = (channels, pooled.shape[2], pooled.shape[3])
        average = replace(before, pools=(*before.pools, pool), range=None)
        return replace(value, average=average, whole=shape, shape=shape)

    def mean(
        self, value: Value, position: str, axes: Sequence[int], shape: Sequence[int], sums: bool = False
    ) -> Value:
        """The mean (or sum) of every map over ``axes`` that :meth:`over_pixels` found, to ``shape``, batch
        first."""
        if len(value.shape) == 2:
            value = replace(value, shape=value.whole)
        over = tuple(axes)
        value = self._averaging(value, position, lambda x: (x.sum if sums else x.mean)(over, keepdim=True))
        kept = value.last and len(shape) == 4
        return replace(value, shape=value.whole if kept else tuple(shape[1:]), last=kept)

    def over_pixels(self, value: Value, rank: int, axes: Sequence[int]) -> tuple[int, ...]:
        """Which of the axes 2 and 3, of (n, 1, H, W), the ``axes`` of a tensor of that rank, batch first,
        are; none if any of them is another.

        Rows or columns alone are taken of maps with channels first, as half of a mean over both.
        """
        found = {axis % rank for axis in axes}
        if len(value.shape) == 3:
            if value.last:
                return (2, 3) if found == {1, 2} else ()
            return tuple(sorted(found)) if found <= {2, 3} else ()
        as_rows = value.index is None and value.padding is None and len(value.whole) == 3
        as_rows = as_rows and value.shape == (value.whole[0], prod(value.whole[1:]))
        return (2, 3) if as_rows and found == {2} else ()

    # --- what a reader sees -------------------------------------------------------------------------

    def per_channel(self, value: Value, constant: Tensor) -> Tensor | None:
        """``constant``, which is put together with all images of the map, as (channels,).

        None if it differs from pixel to pixel or image to image, or makes the map larger.
        """
        if value.last:
            if constant.dim() > 4:
                return None
            constant = constant[(None,) * (4 - constant.dim())].permute(0, 3, 1, 2)
        return one_per_channel(constant, (self.batch, *value.shape), channels_of(value))

    def per_value(self, value: Value, constant: Tensor) -> Tensor | None:
        """The same with a number for every value, (``shape``)."""
        try:
            spread = constant.expand(self.batch, *value.seen)
        except RuntimeError:
            return None
        if not bool((spread == spread[:1]).all()):
            return None
        return spread[0].permute(2, 0, 1) if value.last else spread[0]

    def map_of(self, value: Value, position: str) -> Shape:
        """The shape, which must be that of a map."""
        if value.blocked is not None:
            raise value.blocked
        if len(value.shape) != 3 or (value.vector and max(value.shape[1:]) > 1):
            raise refuse(
                position,
                f"it takes {size_of(value.shape)}, no map of channels, rows and columns",
                "put it in front of the flattening",
            )
        return value.shape[0], value.shape[1], value.shape[2]

    def channels_first(self, value: Value, position: str) -> Value:
        """``value``, of which an operation takes the channels from the first axis behind the batch."""
        if value.last:
            raise refuse(
                position,
                f"it takes the rows of a {size_of(value.seen)} map, with its channels last, as channels",
                "leave the transposition in front of it out",
            )
        return value


def channels_of(value: Value) -> int:
    """Channels of what operations see: those of the map, unless it has an order of its own."""
    return value.whole[0] if value.index is None else value.shape[0]


def _by_position(value: Value) -> Value:
    """``value`` with its scaled values numbered as they come, whatever pixels they are."""
    assert value.scale is not None
    return replace(value, index=None, whole=tuple(value.scale.offset.shape))


def _turned(value: Value, given: Tensor, moved: Tensor) -> bool | None:
    """Whether ``moved`` is ``given``, a batch of maps as operations see ``value``, with channels last; None
    if it is no such map."""
    if value.vector or len(value.shape) != 3 or moved.dim() != 4:
        return None
    first = given.permute(0, 3, 1, 2) if value.last else given
    for last, seen in ((False, moved), (True, moved.permute(0, 3, 1, 2))):
        if seen.shape == first.shape and torch.equal(seen, first):
            return last
    return None


def _as_map(value: Value, index: Tensor, scale: Scale | None) -> Value:
    """What operations see when they see the values ``index`` of ``value``, times ``scale``: with channels
    first or last, whichever of the two is a selection of channels and pixels."""
    found = replace(value.seen_as(index), scale=scale)
    if value.vector or index.dim() != 3 or not value.last:
        return found
    first = index.permute(2, 0, 1)
    if selection(first, value.whole) is None:
        return found
    scale = None if scale is None else scale.turned().turned()
    return replace(value.seen_as(first), scale=scale, last=True)


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


def check_bias(position: str, weight: Tensor, bias: Tensor | None) -> None:
    """One number for every output, or none at all."""
    if bias is not None and bias.shape != weight.shape[:1]:
        raise refuse(
            position,
            f"a bias of {size_of(tuple(bias.shape)) or 'no axis'} for {len(weight)} outputs",
            "give it one number per output",
        )


def size_of(shape: tuple[int, ...]) -> str:
    return "×".join(str(n) for n in shape)
