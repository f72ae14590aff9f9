"""A network: a graph of layers that the accelerator can execute.

It is plain data (ints and strings): training converts to it, the compiler and the integer model read it. It
owns shape propagation and refuses what the hardware cannot run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from hw.contract.network.conv import Conv
from hw.contract.network.dense import Dense
from hw.contract.network.layers import Layer
from hw.contract.network.limits import IMAGES, MOST, Shape
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork


@dataclass(frozen=True)
class Network:
    """Layers in the order in which they run, from one input map to class scores (or to a last feature map).

    Every layer reads the maps that its ``sources`` name, mostly that of the layer before; the last one's is
    the result. Maps have numbers: 0 is the input, i + 1 the output of layer i.

    Raises :class:`UnsupportedNetwork` when shapes do not follow each other, a source is none or comes later,
    nobody reads a map, names repeat or are none (:mod:`hw.util.names`; a layer raises it too) or are what
    ``sources`` call the input, a convolution follows a fully connected layer, or the last layer is ``Dense``
    with a ReLU.
    """

    name: str
    input: Shape
    layers: tuple[Layer, ...]
    spread: int = 1
    """Rows and columns of pixels that the host spreads over channels of map 0
    (:func:`hw.host_interface.stream_format.spread`)."""
    constant: bool = False
    """Whether the host adds a last channel to the images, white wherever they are
    (:func:`hw.host_interface.stream_format.with_constant`): with a kernel of its own it makes what a mean
    subtracted from images leaves at the edges of a padded convolution."""

    def __post_init__(self) -> None:
        names.check("network", self.name)
        documents.check_fields(self, f"network {self.name!r}", UnsupportedNetwork, but=("layers",))
        if strange := [layer for layer in self.layers if not isinstance(layer, (Conv, Dense))]:
            raise UnsupportedNetwork(
                f"network {self.name!r}: a layer is a Conv or a Dense, not {documents.shown(strange[0])}"
            )
        if not all(1 <= size <= MOST for size in self.input):
            size = "×".join(map(documents.shown, self.input))
            raise UnsupportedNetwork(
                f"network {self.name!r}: its input is {size}, each of the three must be 1 to {MOST:,}"
            )
        if not 1 <= self.spread <= MOST_SPREAD:
            raise UnsupportedNetwork(
                f"network {self.name!r}: images are spread by 1 to {MOST_SPREAD} rows and columns, not "
                f"{self.spread}"
            )
        if not self.layers:
            raise UnsupportedNetwork(f"network {self.name!r} has no layers")
        called = [layer.name for layer in self.layers]
        if len(set(called)) != len(called):
            raise UnsupportedNetwork(f"network {self.name!r}: layer names repeat: {documents.shown(called)}")
        if IMAGES in called and any(layer.sources for layer in self.layers):
            raise UnsupportedNetwork(
                f"layer {IMAGES!r}: sources call the network's input so: give the layer another name"
            )
        for layer, maps in zip(self.layers, self.sources, strict=True):
            before = [self.layers[number - 1] for number in maps if number]
            if vectors := [other for other in before if other.dot]:
                if not layer.dot:
                    raise UnsupportedNetwork(
                        f"layer {layer.name!r}: a convolution cannot follow the fully connected "
                        f"layer {vectors[0].name!r}"
                    )
                if len(maps) > 1:
                    raise UnsupportedNetwork(
                        f"layer {layer.name!r}: the outputs of the fully connected layer {vectors[0].name!r} "
                        "are not joined with others"
                    )
        last = self.layers[-1]
        if last.dot and last.relu:
            raise UnsupportedNetwork(
                f"layer {last.name!r}: the last fully connected layer gives class scores and "
                "takes no ReLU: set relu to false"
            )
        read = {number for maps in self.sources for number in maps}
        if unread := [layer.name for i, layer in enumerate(self.layers[:-1]) if i + 1 not in read]:
            raise UnsupportedNetwork(f"layer {unread[0]!r}: no other layer reads what it makes: leave it out")
        _ = self.maps

    @cached_property
    def sources(self) -> tuple[tuple[int, ...], ...]:
        """Of every layer: the numbers of the maps that it reads, in the order of its input channels."""
        numbers, found = {IMAGES: 0}, []
        for i, layer in enumerate(self.layers):
            for source in layer.sources:
                if source not in numbers:
                    raise UnsupportedNetwork(
                        f"layer {layer.name!r}: its source {documents.shown(source)} is no layer in front "
                        "of it"
                    )
            found.append(tuple(numbers[source] for source in layer.sources) or (i,))
            numbers[layer.name] = i + 1
        return tuple(found)

    @cached_property
    def maps(self) -> tuple[Shape, ...]:
        """The shape of every map: the input's, and what each layer makes."""
        c, h, w = self.input
        maps = [((c + self.constant) * self.spread**2, -(-h // self.spread), -(-w // self.spread))]
        for layer, numbers in zip(self.layers, self.sources, strict=True):
            maps.append(layer.output(_joined(layer, [maps[number] for number in numbers])))
        return tuple(maps)

    @cached_property
    def inputs(self) -> tuple[Shape, ...]:
        """The shape of what every layer reads: of its sources, as one map."""
        pairs = zip(self.layers, self.sources, strict=True)
        return tuple(_joined(layer, [self.maps[number] for number in numbers]) for layer, numbers in pairs)

    def given(self, layer: int) -> Shape:
        """The shape of what a run that begins with ``layer`` is given: images, or what the layer reads."""
        return self.inputs[layer] if layer else self.input

    @property
    def chain(self) -> bool:
        """Whether every layer reads what the one before it made, and nothing else."""
        return all(maps == (i,) for i, maps in enumerate(self.sources))

    def signed(self, number: int) -> bool:
        """Whether the pixels of map ``number`` are signed, as those of a layer without ReLU, or with a leaky
        one, are."""
        return number > 0 and self.layers[number - 1].signed

    def readers(self, number: int) -> list[int]:
        """The layers that read map ``number``."""
        return [i for i, maps in enumerate(self.sources) if number in maps]

    @property
    def operations(self) -> int:
        """Dense-equivalent operations of one image."""
        return sum(layer.operations(shape) for layer, shape in zip(self.layers, self.inputs, strict=True))

    @property
    def classes(self) -> int | None:
        """Class scores per image, or None when the network ends in a feature map."""
        last = self.layers[-1]
        return last.outputs if last.dot else None

    @property
    def plain(self) -> bool:
        """Whether files need none of the fields that came later (:data:`LATER`)."""
        return self.spread == 1 and not self.constant and not any(_later(layer) for layer in self.layers)

    def to_json(self) -> dict[str, Any]:
        """Plain data, with a ``type`` per layer."""
        layers = [{"type": type(layer).__name__.lower(), **_fields(layer)} for layer in self.layers]
        spread = {} if self.spread == 1 else {"spread": self.spread}
        constant = {"constant": True} if self.constant else {}
        return {"name": self.name, "input": list(self.input), **spread, **constant, "layers": layers}

    @classmethod
    def from_json(cls, data: Any) -> Network:
        """The inverse of :meth:`to_json`; ``UnsupportedNetwork`` for unknown layer types and fields, and for
        values of another type."""
        found: _Document = documents.convert(data, _Document, "the network", error=UnsupportedNetwork)
        return cls(found.name, found.input, tuple(map(_layer, found.layers)), found.spread, found.constant)

    def constant_inputs(self, layer: int) -> tuple[int, ...]:
        """Those of the channels that ``layer`` reads."""
        found: list[int] = []
        first = 0
        for number in self.sources[layer]:
            found += [first + channel for channel in self.constant_channels if not number]
            first += self.maps[number][0]
        return tuple(found)

    @property
    def constant_channels(self) -> tuple[int, ...]:
        """Channels of map 0 that are white wherever there is an image."""
        first = self.input[0] * self.spread**2
        return tuple(range(first, first + self.spread**2)) if self.constant else ()


MOST_SPREAD = 4
"""As much as strides of well-known first layers."""

LATER = {
    "groups": 1,
    "average": False,
    "taps": None,
    "clip": None,
    "leak": 0,
    "pointwise": False,
    "stride": 1,
    "end_padding": None,
    "pool_size": None,
    "pool_padding": 0,
    "pool_end_padding": None,
    "added": False,
    "sources": (),
}
"""Fields that layers did not always have: where one says nothing, files do without it."""


def _later(layer: Layer) -> dict[str, Any]:
    """Those of ``layer`` that say something."""
    own = {field.name: getattr(layer, field.name) for field in dataclasses.fields(layer)}
    return {name: value for name, value in own.items() if name in LATER and value != LATER[name]}


def _fields(layer: Layer) -> dict[str, Any]:
    """``layer`` as files hold it."""
    old = {name: value for name, value in dataclasses.asdict(layer).items() if name not in LATER}
    later = {name: list(v) if isinstance(v, tuple) else v for name, v in _later(layer).items()}
    return old | later


def _joined(layer: Layer, shapes: list[Shape]) -> Shape:
    """Maps of ``shapes`` as one, channel after channel."""
    sizes = {shape[1:] for shape in shapes}
    if len(sizes) > 1:
        told = " and ".join(f"{h}×{w}" for h, w in sorted(sizes))
        raise UnsupportedNetwork(f"layer {layer.name!r} reads maps of different sizes at once: {told} pixels")
    if layer.added and shapes[-1][0] != layer.outputs:
        raise UnsupportedNetwork(
            f"layer {layer.name!r}: to {layer.outputs} output channels a map of {shapes[-1][0]} cannot be "
            "added"
        )
    return sum(shape[0] for shape in shapes), *shapes[0][1:]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """A network as :meth:`Network.to_json` writes it."""

    name: str
    input: Shape
    layers: list[dict[str, Any]]
    spread: int = 1
    constant: bool = False


def _layer(described: dict[str, Any]) -> Layer:
    fields = dict(described)
    kind, what = fields.pop("type", None), f"layer {documents.shown(described.get('name'))}"
    if kind not in ("conv", "dense"):
        raise UnsupportedNetwork(f"{what}: unknown type {documents.shown(kind)}, known are conv and dense")
    layer: Layer = documents.convert(
        fields, Conv if kind == "conv" else Dense, what, error=UnsupportedNetwork
    )
    return layer
