"""A convolution, with what follows it: ReLU, pooling, a map that is added."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hw.contract.network.conv_checks import check
from hw.contract.network.limits import Shape
from hw.contract.spectrum import TILE, WORDS
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork


@dataclass(frozen=True)
class Conv:
    """A convolution with zero padding and stride 1 or 2, then an optional ReLU, then optional max pooling.

    padding: rows and columns of zeros above and left of the map; end_padding: below and right of it (None: as
    many). pool: rows and columns from a maximum to the next, 1 or 2; pool_size: side of its window, 3, or
    what pool is (None); pool_padding, pool_end_padding: by how much windows reach beyond the map at either
    end, where there is nothing to take the maximum of. added: the last ``out_channels`` of the input channels
    are not convolved, they are added to the outputs in front of the ReLU (a residual connection); they have
    the shape of the output. In the array each is a kernel of one pixel, so it costs what a channel costs.
    groups: of input and output channels; an output channel depends on the inputs of its own group alone.
    average: the layer gives the mean of every channel of a map of at most 8×8 pixels, with a kernel of 8×8
    and each channel a group. taps: weights of an output channel in the convolution that this one stands for,
    if it has others (of spread images): operations are counted by it. clip: the largest value after ReLU, in
    the units of training (6 for ReLU6): scales are chosen so that channels which reach it saturate there, and
    nothing else is done about it. leak: n of a leaky ReLU, whose slope below zero is 2^-n, 1 to 7; 0: its
    slope is zero. pointwise: a kernel of 1×1 is not transformed: the array multiplies pixels, with one real
    weight for each pair of channels in place of 32 spectral words.
    """

    dot: ClassVar[Literal[False]] = False

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    padding: int = 0
    relu: bool = True
    pool: int = 1
    stride: int = 1
    end_padding: int | None = None
    pool_size: int | None = None
    pool_padding: int = 0
    pool_end_padding: int | None = None
    added: bool = False
    groups: int = 1
    average: bool = False
    taps: int | None = None
    clip: float | None = None
    leak: int = 0
    pointwise: bool = False
    sources: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names.check("layer", self.name)
        documents.check_fields(self, f"layer {self.name!r}", UnsupportedNetwork)
        check(self)

    @property
    def transformed(self) -> bool:
        """Whether the array works on spectra."""
        return not self.pointwise

    @property
    def inputs(self) -> int:
        """Input channels, those that are added included."""
        return self.in_channels

    @property
    def convolved(self) -> int:
        """Input channels that are convolved."""
        return self.in_channels - self.out_channels * self.added

    @property
    def sparse(self) -> bool:
        """Whether most channels are not connected anyway: pruning leaves such layers as they are."""
        return self.groups > 1

    @property
    def alone(self) -> Conv:
        """The convolution without what it adds."""
        return replace(self, in_channels=self.convolved, added=False) if self.added else self

    @property
    def outputs(self) -> int:
        """Output channels."""
        return self.out_channels

    @property
    def signed(self) -> bool:
        """Whether its pixels have a sign."""
        return not self.relu or self.leak > 0

    @property
    def after(self) -> int:
        """Rows and columns of zeros below and right of the map."""
        return self.padding if self.end_padding is None else self.end_padding

    @property
    def window(self) -> int:
        """Side of the window of max pooling; 1 without."""
        return self.pool if self.pool_size is None else self.pool_size

    @property
    def pool_after(self) -> int:
        """By how much the last windows reach beyond the map."""
        return self.pool_padding if self.pool_end_padding is None else self.pool_end_padding

    @property
    def overlaps(self) -> bool:
        """Whether pooling windows overlap, or reach beyond the map: then pooling is more than the maximum of
        every 2×2 pixels."""
        return self.window > self.pool or self.pool_padding > 0 or self.pool_after > 0

    @property
    def tile_padding(self) -> int:
        """Rows and columns by which the first tile begins above and left of the map."""
        return self.padding + self.pool_padding

    @property
    def step(self) -> int:
        """Rows and columns of the plain convolution, of stride 1, from an output to the next."""
        return self.stride * self.pool

    @property
    def sampling(self) -> int:
        """Rows and columns from a pixel that is read to the next: the stride of a pointwise convolution, of
        which no other pixel is looked at."""
        return self.stride if self.pointwise else 1

    @property
    def reduction(self) -> int:
        """Rows and columns of what the array makes, from an output to the next."""
        return self.step // self.sampling

    @property
    def tile_outputs(self) -> int:
        """Output rows and columns of a tile.

        8 - k + 1 of the 64 outputs of a circular 8×8 convolution, in each direction, are free of wrap-around;
        no pooling window straddles two tiles: where windows overlap, so do the tiles' outputs in front of
        pooling.
        """
        return (TILE - self.kernel + 1 - self.window) // self.reduction + 1

    @property
    def tile_side(self) -> int:
        """Rows and columns of a tile in front of stride and pooling that its outputs depend on."""
        return (self.tile_outputs - 1) * self.reduction + self.window

    @property
    def tile_stride(self) -> int:
        """S: input rows and columns from a tile to the next."""
        return self.tile_outputs * self.step

    def conv_size(self, size: int) -> int:
        """Rows (or columns) of the plain convolution, of stride 1, for ``size`` input rows."""
        return size + self.padding + self.after - self.kernel + 1

    def output(self, shape: Shape) -> Shape:
        """Output shape for an input ``shape``."""
        c, h, w = shape
        if c != self.in_channels:
            raise UnsupportedNetwork(f"layer {self.name!r} takes {self.in_channels} channels but gets {c}")
        beyond = self.pool_padding + self.pool_after - self.window
        oh, ow = ((self.conv_size(size) + beyond) // self.step + 1 for size in (h, w))
        if oh < 1 or ow < 1:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: a {h}×{w} input leaves no output pixel; pad it or drop the layer"
            )
        if self.average and (oh, ow) != (1, 1):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: an average takes a square map of at most {TILE}×{TILE} pixels, and as "
                f"end_padding what it lacks, not {h}×{w} with {self.after}: pool further first"
            )
        if self.added and (oh, ow) != (h, w):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: to outputs of {oh}×{ow} pixels a map of {h}×{w} cannot be added"
            )
        return self.out_channels, oh, ow

    def tiles(self, shape: Shape, height: int = 0) -> tuple[int, int]:
        """(rows, columns) of the tile grid: just enough tiles to cover the outputs. ``height``: rows from a
        tile to the one below it, where that is not ``tile_stride``."""
        _, oh, ow = self.output(shape)
        return -(-oh // (height // self.step or self.tile_outputs)), -(-ow // self.tile_outputs)

    @property
    def heights(self) -> tuple[int, ...]:
        """What ``height`` of its tiles can be: those of a pointwise convolution may have fewer than 8 rows,
        where no windows overlap; 0 is ``tile_stride``."""
        if self.transformed or self.overlaps:
            return (0,)
        return tuple(range(self.step, TILE * self.sampling + 1, self.step))

    def weight_shape(self, shape: Shape) -> tuple[int, int, int, int]:
        """(out, in, 32, 2): integer weight words in the artifact; of a pointwise convolution (out, in, 1, 2),
        which serves all words."""
        return self.out_channels, self.in_channels, WORDS if self.transformed else 1, 2

    @property
    def connected(self) -> NDArray[np.bool_]:
        """(out, in): which outputs depend on which inputs."""
        own = np.arange(self.out_channels) * self.groups // self.out_channels
        of_inputs = np.arange(self.convolved) * self.groups // self.convolved
        found = own[:, None] == of_inputs
        unmoved = [np.eye(self.out_channels, dtype=bool)] if self.added else []
        return np.concatenate([found, *unmoved], axis=1)

    def used_parts(self, shape: Shape) -> NDArray[np.bool_]:
        """(in, 32, 2): parts of words that can hold a weight: all of them, but that of a pointwise
        convolution, (in, 1, 2), is real."""
        used = np.ones(self.weight_shape(shape)[1:], dtype=bool)
        used[..., 1] = self.transformed
        return used

    def seen(self, shape: Shape) -> Shape:
        """An input of ``shape`` as it is read: itself."""
        return shape

    def operations(self, shape: Shape) -> int:
        """Dense-equivalent operations: 2 per multiply-add of the spatial convolution; what is added counts
        for nothing."""
        _, h, w = shape
        rows, columns = ((self.conv_size(size) - 1) // self.stride + 1 for size in (h, w))
        if self.average:
            return 0
        taps = self.kernel**2 * self.convolved // self.groups if self.taps is None else self.taps
        return 2 * rows * columns * taps * self.out_channels
