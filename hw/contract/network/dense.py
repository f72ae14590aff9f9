"""A fully connected layer, behind a map of any size or another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from hw.contract.network.limits import MOST, Shape, check_activation
from hw.contract.spectrum import TILE, WORDS
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork


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
        if self.in_features < 1 or self.out_features < 1:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at least 1")
        if max(self.in_features, self.out_features) > MOST:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at most {MOST:,}")
        check_activation(self)

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
