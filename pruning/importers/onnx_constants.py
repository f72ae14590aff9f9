"""What an ONNX graph computes without the image, by ONNX's reference evaluator."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from hw.util.documents import said
from hw.util.errors import UnsupportedNetwork
from pruning.importers import onnx_guard, onnx_quantisers
from pruning.importers.onnx_nodes import attributes, position_of
from pruning.importers.refusals import refuse, unsupported

RANDOM = {
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}
OF_SHAPES = {"Shape", "Size"}
"""Operations that take no more of a map than its shape."""

MISJUDGED = {"AveragePool", "LogSoftmax", "MaxPool", "Softmax"}
"""onnx 1.23.2 computes these otherwise than runtimes do: padding, windows and axes of old versions."""


class Constants:
    """Values by name: ``values`` are the initializers at first.

    Members: ``values``; ``most``, elements of what is computed on the way. Of constants that a quantiser has
    rounded, by name: ``origins``, what they are called in front of it; ``steps``, where there is one step for
    all; ``widths``, bits of them.
    """

    def __init__(self, values: Mapping[str, NDArray[Any]], opsets: Mapping[str, int]) -> None:
        self.opsets = dict(opsets)
        self.values = dict(values)
        self.origins: dict[str, str] = {}
        self.steps: dict[str, float] = {}
        self.widths: set[int] = set()
        self.most = max((onnx_guard.MOST, *(value.size for value in values.values())))

    @property
    def version(self) -> int:
        """Of the operators that ONNX defines."""
        return self.opsets.get("", self.opsets.get("ai.onnx", onnx.defs.onnx_opset_version()))

    def add(self, node: onnx.NodeProto, maps: Mapping[str, tuple[int, ...]]) -> None:
        """The outputs of a node whose inputs are constants, or ``maps`` of which it takes the shape."""
        if node.op_type in RANDOM or (node.op_type == "Dropout" and self.drops(node)):
            raise unsupported(position_of(node), node.op_type)
        if node.op_type in MISJUDGED:
            raise refuse(
                position_of(node), "it computes a constant", "put its result in the file (constant folding)"
            )
        if onnx_quantisers.is_quantiser(node):
            self._quantise(node)
            return
        if node.op_type == "ConstantOfShape":
            self.values[node.output[0]] = self._filled(node)
            return
        black = np.zeros((), np.int8)
        known = {name: np.broadcast_to(black, maps[name]) for name in node.input if name in maps}
        self.values |= self.run(node, known)

    def _quantise(self, node: onnx.NodeProto) -> None:
        given, output = node.input[0], node.output[0]
        self.values[output] = onnx_quantisers.constant(node, self.values)
        self.origins[output] = self.origins.get(given, given).removesuffix("_quantized")
        if node.op_type == "QuantizeLinear":
            return
        if node.op_type != "BipolarQuant":
            found = onnx_quantisers.grid(node, self.values, self.values[given].shape)
            if found.uniform:
                self.steps[output] = float(found.step.flat[0])
        if self.values[given].ndim > 1:
            self.widths.add(onnx_quantisers.width(node, self.values))

    def run(self, node: onnx.NodeProto, maps: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The outputs of a node for these ``maps``."""
        inputs = [name for name in node.input if name]
        known = {n: maps[n] if n in maps else self.values[n] for n in inputs}
        ends = ([onnx.helper.make_empty_tensor_value_info(n) for n in ns] for ns in (inputs, node.output))
        graph = onnx.helper.make_graph([node], "one", *ends)
        try:
            if node.op_type not in OF_SHAPES:
                onnx_guard.check(node, known, self.opsets, self.most)
            results = ReferenceEvaluator(graph, self.opsets).run(None, known)
        except Exception as error:  # whatever numpy says of shapes that do not fit
            why = f"it cannot be computed ({said(error)})"
            raise refuse(position_of(node), why, "simplify the model") from None
        return dict(zip(node.output, map(np.asarray, results), strict=True))

    def _filled(self, node: onnx.NodeProto) -> NDArray[Any]:
        """One number in any shape, which takes no memory until it becomes the weights of a layer."""
        shape, value = self.real(node.input[0]), attributes(node).get("value")
        number = np.zeros(1, np.float32) if value is None else onnx.numpy_helper.to_array(value)
        if shape.ndim != 1 or number.size != 1 or (shape < 0).any():
            raise refuse(position_of(node), "it has no shape or no number", "export the model again")
        count = prod(map(int, shape))
        if count > onnx_guard.MOST_WEIGHTS:
            why = f"it gives {count:,} elements, more than {onnx_guard.MOST_WEIGHTS:,}"
            raise refuse(position_of(node), why, "simplify the model")
        return np.broadcast_to(number.reshape(()), tuple(map(int, shape)))

    def real(self, name: str) -> NDArray[Any]:
        """A constant that an operation on the map takes."""
        value = self.values[name]
        if np.iscomplexobj(value):
            raise UnsupportedNetwork(f"tensor {name!r} holds complex numbers: use real ones")
        return value

    def drops(self, node: onnx.NodeProto) -> bool:
        """Whether a Dropout does so, and not in training alone."""
        given = attributes(node)
        if self.version < 7:
            return not given.get("is_test", 0) and given.get("ratio", 0.5) > 0
        return self.number(node, 2, 0) != 0 and self.number(node, 1, 0.5) > 0

    def learns(self, node: onnx.NodeProto) -> bool:
        """Whether a BatchNormalization uses the statistics of the batch. How it says so has changed."""
        given = attributes(node)
        if self.version < 7:
            return not given.get("is_test", 0)
        if self.version < 14:
            return any(node.output[1:])
        return bool(given.get("training_mode", 0))

    def number(self, node: onnx.NodeProto, index: int, default: float) -> float:
        """A constant input that is one number."""
        if index >= len(node.input) or not node.input[index]:
            return default
        value = self.real(node.input[index])
        if value.size != 1:
            raise refuse(
                position_of(node), f"{node.input[index]!r} is {value.size} numbers", "one is what it takes"
            )
        return float(value.item())


def used(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    """The nodes that the graph's outputs depend on, in their order."""
    needed, found = {value.name for value in graph.output}, []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            for inner in (a.g for a in node.attribute if a.HasField("g")):
                needed.update(name for inside in inner.node for name in inside.input)
            found.append(node)
    return found[::-1]
