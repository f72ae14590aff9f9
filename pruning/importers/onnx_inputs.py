"""What a node reads: maps, and constants beside them."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor

from hw.util.errors import UnsupportedNetwork
from pruning.importers.assemble import Assembler
from pruning.importers.onnx_constants import Constants
from pruning.importers.onnx_nodes import position_of
from pruning.importers.refusals import refuse
from pruning.importers.values import Value


class Inputs:
    """The maps so far and the constants, for the node that comes next.

    ``open_batch``: the file says nothing of how many images come at once.

    Members: ``values`` of every map so far, by name; ``current``, the name of the one that the node reads;
    ``shapes`` of every map, batch first.
    """

    def __init__(self, assembler: Assembler, constants: Constants, image: str, open_batch: bool) -> None:
        self.assembler, self.constants, self.current = assembler, constants, image
        self.open_batch = open_batch
        self.values: dict[str, Value] = {image: assembler.images}
        self.shapes: dict[str, tuple[int, ...]] = {image: (assembler.batch, *assembler.images.seen)}

    def _moving(self, node: onnx.NodeProto, output: str = "") -> Callable[[Tensor], Tensor]:
        """What a node does to the numbers of the map's values."""
        name = self._followed(node)

        def moving(numbers: Tensor) -> Tensor:
            found = self.constants.run(node, {name: numbers.numpy()})
            return torch.from_numpy(np.ascontiguousarray(found[output or node.output[0]]))

        return moving

    def _shape(self, node: onnx.NodeProto) -> tuple[int, ...]:
        """Of what a node makes of the map."""
        zeros = np.zeros(self.shapes[self._followed(node)], np.float32)
        return self.constants.run(node, {self.current: zeros})[node.output[0]].shape

    def _followed(self, node: onnx.NodeProto) -> str:
        """The name of the map, which must not be too large to follow its values."""
        count = prod(self.shapes[self.current])
        if count > self.constants.most:
            raise refuse(
                position_of(node),
                f"it takes {count:,} values, and at most {self.constants.most:,} can be followed",
                "export the model with a batch of 1",
            )
        return self.current

    def _constant(self, name: str, kind: type[np.floating[Any]] = np.float64) -> Tensor:
        """A constant that is put together with the map. One of equal rows fits any open batch."""
        value = self.constants.real(name)
        if value.size > self.constants.most:
            raise UnsupportedNetwork(
                f"tensor {name!r}, which meets a map, has {value.size:,} elements, more than "
                f"{self.constants.most:,}: give it one number per channel"
            )
        rows = value.ndim == len(self.shapes[self.current]) and len(value) > 1
        if self.open_batch and rows and bool((value == value[:1]).all()):
            value = value[:1]
        return torch.from_numpy(np.array(value, kind))

    def _tensor(self, node: onnx.NodeProto, index: int, axes: int | None = None) -> Tensor | None:
        """A constant input, which must have so many axes; None where it is left out."""
        if index >= len(node.input) or not node.input[index]:
            return None
        value = self.constants.real(node.input[index])
        if value.size and not any(value.strides):  # one number: the layer that has it as weights copies it
            tensor = torch.tensor(float(value.flat[0])).expand(value.shape)
        else:
            tensor = torch.from_numpy(np.array(value, np.float32))
        if axes is not None and tensor.dim() != axes:
            raise refuse(
                position_of(node),
                f"its weights have {tensor.dim()} axes, not {axes}",
                "make it two-dimensional",
            )
        return tensor

    def _over_pixels(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[int, ...]:
        """The axes of a reduction over pixels of a map; none if it is another."""
        axes = given.get("axes", ())
        if len(node.input) > 1:
            axes = self.constants.real(node.input[1]).tolist()
        return self.assembler.over_pixels(self.values[self.current], len(self.shapes[self.current]), axes)
