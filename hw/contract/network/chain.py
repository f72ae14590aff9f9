"""A network: a chain of layers that the accelerator can execute.

It is plain data (ints and strings): training converts to it, the compiler and the integer model read it. It
owns shape propagation and refuses what the hardware cannot run.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import msgspec

from hw.contract.network.layers import MOST, Conv, Dense, Layer, Shape
from hw.util import documents, names
from hw.util.errors import UnsupportedNetwork


@dataclass(frozen=True)
class Network:
    """A chain of layers from one input map to class scores (or to a last feature map).

    Raises :class:`UnsupportedNetwork` when shapes do not follow each other, names repeat or are none
    (:mod:`hw.util.names`; a layer raises it too), a convolution follows a fully connected layer, or the
    last layer is ``Dense`` with a ReLU.
    """

    name: str
    input: Shape
    layers: tuple[Layer, ...]

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
        if not self.layers:
            raise UnsupportedNetwork(f"network {self.name!r} has no layers")
        called = [layer.name for layer in self.layers]
        if len(set(called)) != len(called):
            raise UnsupportedNetwork(f"network {self.name!r}: layer names repeat: {documents.shown(called)}")
        for before, after in zip(self.layers, self.layers[1:], strict=False):
            if before.dot and not after.dot:
                raise UnsupportedNetwork(
                    f"layer {after.name!r}: a convolution cannot follow the fully connected "
                    f"layer {before.name!r}"
                )
        last = self.layers[-1]
        if last.dot and last.relu:
            raise UnsupportedNetwork(
                f"layer {last.name!r}: the last fully connected layer gives class scores and "
                "takes no ReLU: set relu to false"
            )
        _ = self.shapes

    @property
    def shapes(self) -> list[Shape]:
        """Input shape of every layer, then the output shape: ``len(layers) + 1`` shapes."""
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
        return last.outputs if last.dot else None

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
        return cls(found.name, found.input, tuple(map(_layer, found.layers)))


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    """A network as :meth:`Network.to_json` writes it."""

    name: str
    input: Shape
    layers: list[dict[str, Any]]


def _layer(described: dict[str, Any]) -> Layer:
    fields = dict(described)
    kind, what = fields.pop("type", None), f"layer {documents.shown(described.get('name'))}"
    if kind not in ("conv", "dense"):
        raise UnsupportedNetwork(f"{what}: unknown type {documents.shown(kind)}, known are conv and dense")
    layer: Layer = documents.convert(
        fields, Conv if kind == "conv" else Dense, what, error=UnsupportedNetwork
    )
    return layer
