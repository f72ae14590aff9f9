"""What the accelerator can execute: a chain of convolutions and fully connected layers.

A :class:`Network` is plain data (ints and strings): training converts to it, the compiler and the
integer model read it. It owns shape propagation and refuses what the hardware cannot run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from hw.contract.spectrum import TILE, WORDS
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork

Shape = tuple[int, int, int]
"""(channels, height, width)."""

MAX_KERNEL = 7

MOST = 1 << 20
"""Channels, features, rows and columns of anything. What a design holds ends far below; this keeps a number
in a file from becoming hours or gigabytes before anyone looks at it."""


@dataclass(frozen=True)
class Conv:
    """A convolution, stride 1, zero padding, with optional ReLU and 2×2 max pooling behind it."""

    name: str
    in_channels: int
    out_channels: int
    kernel: int
    padding: int = 0
    relu: bool = True
    pool: int = 1

    def __post_init__(self) -> None:
        names.check("layer", self.name)
        documents.check_fields(self, f"layer {self.name!r}", UnsupportedNetwork)
        if not 1 <= self.kernel <= MAX_KERNEL:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: kernel {self.kernel}×{self.kernel} is not supported, an 8×8 "
                f"tile takes kernels of 1×1 to {MAX_KERNEL}×{MAX_KERNEL}: split it into smaller ones"
            )
        if self.pool not in (1, 2):
            raise UnsupportedNetwork(
                f"layer {self.name!r}: pooling {self.pool}×{self.pool} is not supported, only none "
                "(1) or 2×2 max pooling (2)"
            )
        if not 0 <= self.padding < self.kernel:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: padding {self.padding} must be 0..{self.kernel - 1} for a "
                f"{self.kernel}×{self.kernel} kernel"
            )
        if self.in_channels < 1 or self.out_channels < 1:
            raise UnsupportedNetwork(f"layer {self.name!r}: channel counts must be at least 1")
        if max(self.in_channels, self.out_channels) > MOST:
            raise UnsupportedNetwork(f"layer {self.name!r}: channel counts must be at most {MOST:,}")

    @property
    def stride(self) -> int:
        """S: output rows and columns one tile contributes (before pooling).

        8 - k + 1 of the 64 outputs of a circular 8×8 convolution are free of wrap-around; with
        pooling S is rounded down to even, so that no 2×2 pooling window straddles two tiles.
        """
        s = TILE - self.kernel + 1
        return s - s % self.pool

    def conv_size(self, size: int) -> int:
        """Output rows (or columns) before pooling, for ``size`` input rows."""
        return size + 2 * self.padding - self.kernel + 1

    def output(self, shape: Shape) -> Shape:
        """Output shape for an input ``shape``."""
        c, h, w = shape
        if c != self.in_channels:
            raise UnsupportedNetwork(f"layer {self.name!r} takes {self.in_channels} channels but gets {c}")
        oh, ow = self.conv_size(h) // self.pool, self.conv_size(w) // self.pool
        if oh < 1 or ow < 1:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: a {h}×{w} input leaves no output pixel; pad it or drop the layer"
            )
        return self.out_channels, oh, ow

    def tiles(self, shape: Shape) -> tuple[int, int]:
        """(rows, columns) of the tile grid: just enough S×S tiles to cover the kept outputs."""
        _, oh, ow = self.output(shape)
        return -(-oh * self.pool // self.stride), -(-ow * self.pool // self.stride)

    def weight_shape(self, shape: Shape) -> tuple[int, int, int, int]:
        """(out, in, 32, 2): integer weight words in the artifact."""
        return self.out_channels, self.in_channels, WORDS, 2

    def operations(self, shape: Shape) -> int:
        """Dense-equivalent operations (2 per multiply-add of the spatial convolution)."""
        _, h, w = shape
        macs = self.conv_size(h) * self.conv_size(w) * self.kernel**2
        return 2 * macs * self.in_channels * self.out_channels


@dataclass(frozen=True)
class Dense:
    """A fully connected layer, with optional ReLU behind it.

    Behind a map of at most 8×8 pixels it takes the flattened map (channel, row, column). Behind
    another ``Dense`` of F outputs it takes them laid out as ceil(F / 64) channels of 8×8 pixels,
    output i being pixel (i % 64 // 8, i % 8) of channel i // 64.
    """

    name: str
    in_features: int
    out_features: int
    relu: bool = True

    def __post_init__(self) -> None:
        names.check("layer", self.name)
        documents.check_fields(self, f"layer {self.name!r}", UnsupportedNetwork)
        if self.in_features < 1 or self.out_features < 1:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at least 1")
        if max(self.in_features, self.out_features) > MOST:
            raise UnsupportedNetwork(f"layer {self.name!r}: feature counts must be at most {MOST:,}")

    def output(self, shape: Shape) -> Shape:
        """Output shape: the vector of ``out_features`` laid out as 8×8 channels."""
        c, h, w = shape
        if h > TILE or w > TILE:
            raise UnsupportedNetwork(
                f"layer {self.name!r}: a fully connected layer takes maps of at most "
                f"{TILE}×{TILE} pixels, not {h}×{w}: pool further first"
            )
        per_vector = -(-self.in_features // TILE**2)
        vector = (h, w) == (TILE, TILE) and c == per_vector
        if self.in_features != c * h * w and not vector:
            raise UnsupportedNetwork(
                f"layer {self.name!r} takes {self.in_features} features but gets a {c}×{h}×{w} map"
            )
        return -(-self.out_features // TILE**2), TILE, TILE

    def weight_shape(self, shape: Shape) -> tuple[int, int, int, int]:
        """(out, channels, 32, 2): integer weight words in the artifact."""
        return self.out_features, shape[0], WORDS, 2

    def operations(self, shape: Shape) -> int:
        """Dense-equivalent operations (2 per multiply-add)."""
        return 2 * self.in_features * self.out_features

    def word_index(self, shape: Shape) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """(channel, word, part) of every input feature, for an input ``shape``."""
        _, h, w = shape
        channel, place = np.divmod(np.arange(self.in_features), h * w)
        y, x = np.divmod(place, w)
        return channel, 4 * y + x // 2, x % 2


Layer = Conv | Dense


@dataclass(frozen=True)
class Network:
    """A chain of layers from one input map to class scores (or to a last feature map).

    Raises :class:`UnsupportedNetwork` when shapes do not follow each other, names repeat or are none
    (:mod:`hw.util.names`; a layer raises it too), a convolution stands behind a fully connected layer, or the
    last layer is ``Dense`` with a ReLU.
    """

    name: str
    input: Shape
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        names.check("network", self.name)
        documents.check_fields(self, f"network {self.name!r}", UnsupportedNetwork, but=("layers",))
        if strange := [one for one in self.layers if not isinstance(one, (Conv, Dense))]:
            raise UnsupportedNetwork(
                f"network {self.name!r}: a layer is a Conv or a Dense, not {documents.shown(strange[0])}"
            )
        if not all(1 <= size <= MOST for size in self.input):
            size = "×".join(map(documents.shown, self.input))
            raise UnsupportedNetwork(
                f"network {self.name!r}: its input is {size}, each of the three must be 1 to {MOST:,}"
            )
        if not self.layers:
            raise UnsupportedNetwork(f"network {self.name!r} has no layers")
        called = [layer.name for layer in self.layers]
        if len(set(called)) != len(called):
            raise UnsupportedNetwork(f"network {self.name!r}: layer names repeat: {documents.shown(called)}")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if isinstance(before, Dense) and isinstance(after, Conv):
                raise UnsupportedNetwork(
                    f"layer {after.name!r}: a convolution cannot follow the fully connected "
                    f"layer {before.name!r}"
                )
        last = self.layers[-1]
        if isinstance(last, Dense) and last.relu:
            raise UnsupportedNetwork(
                f"layer {last.name!r}: the last fully connected layer gives class scores and "
                "takes no ReLU: set relu to false"
            )
        _ = self.shapes

    @property
    def shapes(self) -> list[Shape]:
        """Input shape of every layer, then the output shape: ``len(layers) + 1`` entries."""
        shapes = [self.input]
        for layer in self.layers:
            shapes.append(layer.output(shapes[-1]))
        return shapes

    @property
    def operations(self) -> int:
        """Dense-equivalent operations of one image."""
        return sum(layer.operations(shape) for layer, shape in zip(self.layers, self.shapes, strict=False))

    @property
    def classes(self) -> int | None:
        """Class scores per image, or None when the network ends in a feature map."""
        last = self.layers[-1]
        return last.out_features if isinstance(last, Dense) else None

    def to_json(self) -> dict[str, Any]:
        """Plain data, with a ``type`` per layer."""
        layers = [
            {"type": type(layer).__name__.lower(), **dataclasses.asdict(layer)} for layer in self.layers
        ]
        return {"name": self.name, "input": list(self.input), "layers": layers}

    @classmethod
    def from_json(cls, data: Any) -> Network:
        """The inverse of :meth:`to_json`; ``UnsupportedNetwork`` for unknown layer types and fields, and for
        values of another type."""
        found: _Document = documents.convert(data, _Document, "the network", error=UnsupportedNetwork)
        return cls(found.name, found.input, tuple(_layer(entry) for entry in found.layers))


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """A network as :meth:`Network.to_json` writes it."""

    name: str
    input: Shape
    layers: list[dict[str, Any]]


def _layer(entry: dict[str, Any]) -> Layer:
    fields = dict(entry)
    kind, what = fields.pop("type", None), f"layer {documents.shown(entry.get('name'))}"
    if kind not in ("conv", "dense"):
        raise UnsupportedNetwork(f"{what}: unknown type {documents.shown(kind)}, known are conv and dense")
    layer: Layer = documents.convert(
        fields, Conv if kind == "conv" else Dense, what, error=UnsupportedNetwork
    )
    return layer


def lenet() -> Network:
    """The paper's LeNet (Caffe's variant): 2,293,000 multiply-adds per 28×28 digit."""
    return Network(
        "lenet",
        (1, 28, 28),
        (
            Conv("conv1", 1, 20, 5, pool=2),
            Conv("conv2", 20, 50, 5, pool=2),
            Dense("fc1", 800, 500),
            Dense("fc2", 500, 10, relu=False),
        ),
    )


VGG16_WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Output channels of VGG16's convolutions, by stage."""


def vgg16() -> Network:
    """The 13 convolutions of VGG16 at 224 × 224 (Simonyan and Zisserman, arXiv:1409.1556, configuration D).

    Its classifier, 124 million weights that are used once, stays on the host.
    """
    return Network("vgg16", (3, 224, 224), _vgg16_convolutions())


def vgg16_cifar() -> Network:
    """VGG16 for the 32 × 32 images of CIFAR-10: the same convolutions, and one fully connected layer."""
    classifier = Dense("fc", VGG16_WIDTHS[-1][-1], 10, relu=False)
    return Network("vgg16-cifar", (3, 32, 32), (*_vgg16_convolutions(), classifier))


def vgg16_cifar_half() -> Network:
    """:func:`vgg16_cifar` with half of the channels: trains in a third of the time."""
    classifier = Dense("fc", VGG16_WIDTHS[-1][-1] // 2, 10, relu=False)
    return Network("vgg16-cifar-half", (3, 32, 32), (*_vgg16_convolutions(2), classifier))


def _vgg16_convolutions(narrower: int = 1) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    channels = 3
    for stage, widths in enumerate(VGG16_WIDTHS, 1):
        for number, width in enumerate(widths, 1):
            pool = 2 if number == len(widths) else 1
            width //= narrower
            layers.append(Conv(f"conv{stage}_{number}", channels, width, 3, padding=1, pool=pool))
            channels = width
    return tuple(layers)


def cifar_small() -> Network:
    """Five convolutions for the 32 × 32 images of CIFAR-10, small enough to simulate whole in seconds."""
    return Network(
        "cifar-small",
        (3, 32, 32),
        (
            Conv("conv1", 3, 16, 3, padding=1),
            Conv("conv2", 16, 16, 3, padding=1, pool=2),
            Conv("conv3", 16, 32, 3, padding=1),
            Conv("conv4", 32, 32, 3, padding=1, pool=2),
            Conv("conv5", 32, 64, 3, padding=1, pool=2),
            Dense("fc", 64 * 4 * 4, 10, relu=False),
        ),
    )


def tiny() -> Network:
    """A network of a few thousand cycles that touches every mode: for tests and examples."""
    return Network(
        "tiny",
        (2, 9, 11),
        (
            Conv("conv1", 2, 9, 3, padding=1, pool=2),
            Conv("conv2", 9, 10, 3, padding=1, relu=False),
            Dense("fc1", 10 * 4 * 5, 70),
            Dense("fc2", 70, 5, relu=False),
        ),
    )
