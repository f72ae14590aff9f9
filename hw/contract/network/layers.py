"""The layers that the accelerator executes: what each computes, its shapes, and what it refuses.

A layer names the maps that it reads (``sources``): those of other layers, or the images (:data:`IMAGES`).
Several are taken as one map, their channels one after the other; none named is that of the layer before.

Both kinds answer the same questions, so that only code which computes a layer has to ask which one it is:

=============== ============================ ===================================================
property        ``Conv``                     ``Dense``
=============== ============================ ===================================================
``inputs``      input channels               input features
``outputs``     output channels              output features
``kernel``      side of the kernel           1
``padding``     rows and columns of zeros    0
``pool``        rows from a maximum to the   1
                next
``overlaps``    pooling windows overlap      False
``tile_padding`` rows above the map that     0
                the first tile has
``step``        rows from an output to the   1
                next: stride times pool
``sampling``    rows from a pixel that is    1
                read to the next
``tile_stride`` rows from a tile to the next 1
``added``       adds its last channels       False
``leak``        of its ReLU, 0 for none      likewise
``signed``      outputs may be below zero    likewise
``dot``         False                        True: the array runs in dot mode (one sum per output)
``transformed`` not ``pointwise``            False: the array multiplies pixels
=============== ============================ ===================================================

``dot`` tells type checkers which of the two a ``Layer`` is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hw.contract.spectrum import TILE, WORDS
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork

Shape = tuple[int, int, int]
"""(channels, height, width)."""

IMAGES = "images"
"""What ``sources`` call the network's input; where layers have some, none has that name."""

MAX_KERNEL = 7

MOST_LEAK = 7
"""A leaky ReLU's least slope is 2^-7: of less, hardly a pixel's step of eight bits would be left."""

MOST = 1 << 20
"""Channels, features, rows and columns of anything. What a design holds ends far below; this keeps a number
in a file from becoming hours or gigabytes before anyone looks at it."""


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
        if self.pointwise and self.kernel != 1:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: a pointwise convolution has a kernel of 1×1, not "
                f"{self.kernel}×{self.kernel}"
            )
        if not 1 <= self.kernel <= MAX_KERNEL + self.average:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: kernel {self.kernel}×{self.kernel} is not supported, an 8×8 "
                f"tile takes kernels of 1×1 to {MAX_KERNEL}×{MAX_KERNEL}: split it into smaller ones"
            )
        if self.pool not in (1, 2) or self.window not in (self.pool, 3):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: pooling {self.window}×{self.window} with stride {self.pool} is not "
                "supported, only 2×2 with stride 2 and 3×3 with stride 1 or 2"
            )
        if not (0 <= self.pool_padding < self.window and 0 <= self.pool_after < self.window):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: pooling of {self.window}×{self.window} reaches beyond the map by "
                f"at most {self.window - 1}, not {max(self.pool_padding, self.pool_after)}"
            )
        if self.stride not in (1, 2):
            raise UnsupportedNetwork(f"layer {self.name!r}: stride must be 1 or 2, not {self.stride}")
        if self.stride > 1 and self.window > 1:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: stride 2 and pooling in one layer are not supported: put a layer "
                "between"
            )
        if self.tile_outputs < 1:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: pooling of {self.window}×{self.window} pixels does not fit beside a "
                f"{self.kernel}×{self.kernel} kernel into a tile of {TILE}×{TILE}: put a layer between"
            )
        for padding in (self.padding, self.after):
            if not 0 <= padding < self.kernel:
                raise UnsupportedNetwork(
                    f"layer {self.name!r}: padding {padding} must be 0..{self.kernel - 1} for a "
                    f"{self.kernel}×{self.kernel} kernel"
                )
        if self.in_channels < 1 or self.out_channels < 1:
            raise UnsupportedNetwork(f"layer {self.name!r}: channel counts must be at least 1")
        if max(self.in_channels, self.out_channels) > MOST:
            raise UnsupportedNetwork(f"layer {self.name!r}: channel counts must be at most {MOST:,}")
        if self.added and (self.convolved < 1 or max(self.step, self.window) > 1 or not self.sources):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: a map is added to the outputs of stride 1 without pooling, and "
                "stands last in the layer's sources, after what is convolved"
            )

        _check_clip(self)
        _check_leak(self)
        if self.groups < 1 or self.convolved % self.groups or self.out_channels % self.groups:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: {self.convolved} input and {self.out_channels} output channels are no "
                f"{self.groups} groups of the same size"
            )
        if self.average and (
            self.kernel != TILE or self.groups != self.out_channels or self.added or self.relu
        ):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: an average has a kernel of {TILE}×{TILE}, a group for every "
                "channel and no ReLU"
            )

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


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, with optional ReLU (leak: as of :class:`Conv`).

    After a map of at most 8×8 pixels it takes the flattened map (channel, row, column). Of a larger one it
    takes all rows of all channels, one after the other, as channels of 8 rows (:meth:`seen`), and 8 columns
    of them at a time. After another ``Dense`` of F outputs it takes them laid out as ceil(F / 64) channels of
    8×8 pixels, output i being pixel (i % 64 // 8, i % 8) of channel i // 64. clip: as of :class:`Conv`.
    """

    dot: ClassVar[Literal[True]] = True
    transformed: ClassVar[Literal[False]] = False
    pointwise: ClassVar[Literal[False]] = False
    average: ClassVar[Literal[False]] = False
    kernel: ClassVar[int] = 1
    padding: ClassVar[int] = 0
    pool: ClassVar[int] = 1
    window: ClassVar[int] = 1
    step: ClassVar[int] = 1
    sampling: ClassVar[int] = 1
    reduction: ClassVar[int] = 1
    overlaps: ClassVar[Literal[False]] = False
    tile_padding: ClassVar[int] = 0
    tile_stride: ClassVar[int] = 1
    added: ClassVar[Literal[False]] = False
    sparse: ClassVar[Literal[False]] = False

    name: str
    in_features: int
    out_features: int
    relu: bool = True
    clip: float | None = None
    sources: tuple[str, ...] = ()
    leak: int = 0

    def __post_init__(self) -> None:
        names.check("layer", self.name)
        documents.check_fields(self, f"layer {self.name!r}", UnsupportedNetwork)
        _check_leak(self)
        if self.in_features < 1 or self.out_features < 1:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at least 1")
        if max(self.in_features, self.out_features) > MOST:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at most {MOST:,}")
        _check_clip(self)

    @property
    def inputs(self) -> int:
        """Input features."""
        return self.in_features

    @property
    def convolved(self) -> int:
        """All of them: nothing is added."""
        return self.in_features

    @property
    def outputs(self) -> int:
        """Output features."""
        return self.out_features

    @property
    def signed(self) -> bool:
        """Whether its outputs have a sign."""
        return not self.relu or self.leak > 0

    def output(self, shape: Shape) -> Shape:
        """Output shape: the vector of ``out_features`` laid out as 8×8 channels."""
        c, h, w = shape
        per_vector = -(-self.in_features // TILE**2)
        vector = (h, w) == (TILE, TILE) and c == per_vector
        if self.in_features != c * h * w and not vector:
            raise UnsupportedNetwork(
                f"layer {self.name!r} takes {self.in_features} features but gets a {c}×{h}×{w} map"
            )
        return -(-self.out_features // TILE**2), TILE, TILE

    def weight_shape(self, shape: Shape) -> tuple[int, int, int, int]:
        """(out, channels, 32, 2): integer weight words in the artifact."""
        channels, _, width = self.seen(shape)
        return self.out_features, channels * -(-width // TILE), WORDS, 2

    def used_parts(self, shape: Shape) -> NDArray[np.bool_]:
        """(channels, 32, 2): parts of words that can hold a weight: those with an input feature."""
        used = np.zeros(self.weight_shape(shape)[1:], dtype=bool)
        used[self.word_index(shape)] = True
        return used

    def operations(self, shape: Shape) -> int:
        """Dense-equivalent operations (2 per multiply-add)."""
        return 2 * self.in_features * self.out_features

    def word_index(self, shape: Shape) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """(channel, word, part) of every input feature, for an input ``shape``."""
        channels, height, width = self.seen(shape)
        line, x = np.divmod(np.arange(self.in_features), width)
        channel, y = np.divmod(line, height)
        tile, x = np.divmod(x, TILE)
        return tile * channels + channel, 4 * y + x // 2, x % 2

    def seen(self, shape: Shape) -> Shape:
        """An input of ``shape`` as it is read: itself up to 8×8 pixels, else channels of 8 rows, the last of
        which may end with rows that are none of it. Of maps wider than 8, what lies in columns 8 to 15
        follows as further channels, and so on."""
        c, h, w = shape
        return shape if h <= TILE and w <= TILE else (-(-c * h // TILE), TILE, w)


def _check_clip(layer: Conv | Dense) -> None:
    if layer.clip is not None and not (layer.relu and layer.clip > 0):
        raise UnsupportedNetwork(f"layer {layer.name!r}: clip {layer.clip:g} must be above 0, after a ReLU")
    if layer.clip is not None and layer.leak:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: clip and a leaky ReLU in one layer are not supported: leave out one "
            "of them, or put a layer between"
        )


Layer = Conv | Dense


def _check_leak(layer: Layer) -> None:
    if not 0 <= layer.leak <= MOST_LEAK:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: leak {layer.leak} must be 1 to {MOST_LEAK}, for a slope of 1/2 to "
            f"1/{1 << MOST_LEAK} below zero, or 0"
        )
    if layer.leak and not layer.relu:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: leak is the slope of a leaky ReLU: set relu, or leave leak out"
        )
