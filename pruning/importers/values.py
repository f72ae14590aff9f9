"""What stands between two operations of a network in the making: which maps, and what waits for a reader."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import torch
from torch import Tensor, nn

from hw.contract.network import Layer
from hw.util.errors import UnsupportedNetwork
from pruning.importers.image_scale import Scale
from pruning.layers import models

Pool = Callable[[Tensor], Tensor]
"""An average pooling or sum of pixels, of (n, 1, H, W)."""


@dataclass(eq=False)
class Made:
    """A layer so far.

    reads: the maps that it reads, by the layers that make them (None: the images); added: the one that is
    added to its outputs, if any. size: rows and columns of what it reads. shape: of its map, or (features,).
    copies: its weights are no training's, only a way to move or average pixels, so that what has no sign gets
    none. range: least and most that a quantiser leaves of its outputs, where those have a sign. step: real
    number that its weights are multiples of in the file. groups: of channels, as many as the file says, or as
    what only moves or averages pixels can have at most; ``module`` has all channels, zeros between groups.
    spec: without ``added``, ``sources`` and ``groups``.
    """

    spec: Layer
    module: nn.Conv2d | nn.Linear | models.Average
    reads: tuple[Made | None, ...]
    size: tuple[int, int]
    shape: tuple[int, ...]
    norm: nn.BatchNorm2d | None = None
    added: tuple[Made | None, ...] = ()
    copies: bool = False
    range: tuple[float, float] | None = None
    step: float | None = None
    groups: int = 1

    @property
    def sources(self) -> tuple[Made | None, ...]:
        """Everything it reads, what is added last."""
        return self.reads + self.added

    def bias(self) -> nn.Parameter:
        """The layer's bias; one of zeros if it had none."""
        if self.module.bias is None:
            self.module.bias = nn.Parameter(self.module.weight.new_zeros(len(self.module.weight)))
        return self.module.bias


@dataclass(frozen=True, eq=False)
class Average:
    """Average pooling that waits: ``pools``, one after the other, of maps of ``size`` (rows, columns).

    position: where the first one stands. range: that a quantiser keeps the last one in; uncut: where ranges
    are, of what may be above them.
    """

    position: str
    size: tuple[int, int]
    pools: tuple[Pool, ...]
    range: tuple[float, float] | None = None
    uncut: tuple[str, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        for pool in self.pools:
            x = pool(x)
        return x

    def matrix(self) -> Tensor:
        """(pixels, pixels after pooling)."""
        pixels = prod(self.size)
        return self(torch.eye(pixels, dtype=torch.double).view(pixels, 1, *self.size)).flatten(1)


@dataclass(frozen=True, eq=False)
class Value:
    """Maps side by side, and what waits for the operation that reads them, in this order.

    parts: who makes the maps (None: the images), none of them twice. average: pooling of them. whole: their
    shape after it, (C, H, W), or (features,) of a fully connected layer. shape: of what operations see,
    without the batch. index (``shape``): the values of ``whole`` that are there, by number, -1 for a zero;
    None: all of them in their order. scale: factors and offsets of images or of a flattened map, one for
    every value of ``shape``. padding: zeros at the top, left, bottom and right, not scaled. last: operations
    see it with its channels last, (H, W, C); all of the above has them first.

    shared: somebody else reads the maps as they are. ends: what is left to the host, as sentences, and
    ``blocked``, the error for an operation that would follow that.
    """

    parts: tuple[Made | None, ...]
    whole: tuple[int, ...]
    shape: tuple[int, ...]
    average: Average | None = None
    index: Tensor | None = None
    scale: Scale | None = None
    padding: tuple[int, int, int, int] | None = None
    last: bool = False
    shared: bool = False
    ends: tuple[str, ...] = ()
    blocked: UnsupportedNetwork | None = None

    @property
    def plain(self) -> bool:
        """Whether nothing waits but a reshape."""
        return self.average is None and self.index is None and self.scale is None and self.padding is None

    @property
    def seen(self) -> tuple[int, ...]:
        """The shape that operations see, without the batch."""
        return (*self.shape[1:], self.shape[0]) if self.last else self.shape

    @property
    def vector(self) -> bool:
        """Whether a fully connected layer makes it."""
        return len(self.whole) == 1

    @property
    def signed(self) -> bool:
        """Whether any of its numbers may be below zero."""
        if self.scale is not None and (self.scale.signed or self.parts != (None,)):
            return True
        return any(made is not None and made.spec.signed for made in self.parts)

    def numbers(self) -> Tensor:
        """``index``, or what it would be."""
        if self.index is not None:
            return self.index
        shape = self.shape if self.padding is None else self.whole
        return torch.arange(prod(self.whole), dtype=torch.int32).view(shape)

    def seen_as(self, index: Tensor) -> Value:
        """With these values of ``whole``, as operations see them."""
        order = torch.arange(prod(self.whole), dtype=index.dtype)
        same = index.numel() == len(order) and torch.equal(index.flatten(), order)
        return replace(self, shape=tuple(index.shape), index=None if same else index.contiguous(), last=False)

    def unrolled(self) -> Value:
        """As operations see it, in the order in which they do: for one without padding that waits."""
        if not self.last:
            return self
        scale = None if self.scale is None else self.scale.turned()
        return replace(self.seen_as(self.numbers().permute(1, 2, 0)), scale=scale)


def of(made: Made) -> Value:
    """The map of a layer, which nobody reads yet."""
    return Value((made,), made.shape, made.shape)


def trainable(value: Tensor) -> Tensor:
    """Quantisation and training of 16-bit floats are nobody's: their values as float32."""
    return value.float() if value.dtype in (torch.float16, torch.bfloat16) else value
