"""What ONNX's operations do to the map of a chain."""

from __future__ import annotations

from functools import reduce
from math import inf, prod
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor

from pruning.importers.assemble import Assembler
from pruning.importers.maps import one_per_channel, size_of
from pruning.importers.onnx_constants import Constants
from pruning.importers.onnx_nodes import (
    FLOATS,
    attributes,
    average_pool,
    padding_of,
    pair,
    path_of,
    position_of,
)
from pruning.importers.refusals import refuse, unsupported

EITHER_WAY = {"Add", "Div", "Max", "Min", "Mul", "Sub", "Sum"}
"""Operations that take a constant in the first place and the map in another."""


class Steps:
    """Takes nodes in the order of the chain and tells an ``assembler``.

    ``read``: names that some node, or the caller, reads. ``open_batch``: the file says nothing of how many
    images come at once.

    Members: ``current``, the name of the map; ``shapes`` of every map so far, batch first.
    """

    def __init__(
        self, assembler: Assembler, constants: Constants, image: str, read: set[str], *, open_batch: bool
    ) -> None:
        self.assembler, self.constants, self.current = assembler, constants, image
        self.read, self.open_batch = read, open_batch
        self.shapes: dict[str, tuple[int, ...]] = {image: (assembler.batch, *assembler.shape)}

    def step(self, node: onnx.NodeProto) -> None:
        """One operation on the current map, whose output is the map from here on."""
        self._apply(node)
        self.current = node.output[0]
        self.shapes[self.current] = (self.assembler.batch, *self.assembler.shape)

    def _apply(self, node: onnx.NodeProto) -> None:
        make, position, operation = self.assembler, position_of(node), node.op_type
        if node.input[0] != self.current and operation not in EITHER_WAY:
            raise refuse(position, "a constant takes the place of the map", "swap the operands")
        if any(output in self.read for output in node.output[1:]):
            raise refuse(position, "its second output is used", "leave that out")
        given = attributes(node)
        match operation:
            case "Conv" | "Gemm" | "MatMul":
                self._layer(node, given)
            case "BatchNormalization":
                weight, bias, mean, variance = (self._tensor(node, i) for i in range(1, 5))
                if self.constants.learns(node):
                    mean = variance = None
                make.batch_norm(
                    position,
                    weight=weight,
                    bias=bias,
                    mean=mean,
                    variance=variance,
                    eps=given.get("epsilon", 1e-5),
                    momentum=1 - given.get("momentum", 0.9),  # ONNX's is the share that stays
                )
            case "Add" | "Sum" | "Sub" | "Mul" | "Div" | "Neg":
                self._arithmetic(node)
            case "Relu":
                make.relu(position)
            case "LeakyRelu" | "PRelu" | "Elu" | "ThresholdedRelu" | "Clip" | "Max" | "Min":
                self._activation(node, given)
            case "MaxPool":
                kernel, stride = pair(node, "kernel_shape"), pair(node, "strides", [1, 1])
                make.max_pool(
                    position,
                    kernel=kernel,
                    stride=stride,
                    padding=padding_of(node, kernel, stride, make.shape[1:]),
                    dilation=given.get("dilations", [1, 1]),
                    ceil=bool(given.get("ceil_mode", 0)),
                )
            case "AveragePool":
                make.average(position, average_pool(node, make.shape[1:]))
            case "GlobalAveragePool":
                make.average(position, lambda x: x.mean((2, 3), keepdim=True))
            case "ReduceMean" | "ReduceSum" if self._over_pixels(node, given):
                make.global_average(position, self._moved(node).shape, sums=operation == "ReduceSum")
            case "Pad":
                self._pad(node, given)
            case (
                ("Concat" | "Expand" | "Flatten" | "Gather" | "Reshape" | "Slice" | "Squeeze" | "Tile")
                | "Transpose"
                | "Unsqueeze"
            ):
                make.move(position, operation, torch.from_numpy(self._moved(node)))
            case "Cast" if given.get("to") in FLOATS:
                pass
            case "Dropout" if not self.constants.drops(node):
                pass
            case "Identity":
                pass
            case other:
                raise unsupported(position, other)

    # --- operations ---------------------------------------------------------------------------------

    def _layer(self, node: onnx.NodeProto, given: dict[str, Any]) -> None:
        make, position, path = self.assembler, position_of(node), path_of(node, len(self.shapes))
        if node.op_type == "MatMul":
            make.linear(position, path, self._tensor(node, 1, axes=2).T, None)
            return
        if node.op_type == "Gemm":
            make.linear(position, path, *self._gemm(node, given))
            return
        weight, stride = self._tensor(node, 1, axes=4), pair(node, "strides", [1, 1])
        kernel = list(weight.shape[2:])
        if pair(node, "kernel_shape", kernel) != kernel:
            raise refuse(
                position,
                f"kernel_shape says {size_of(tuple(given['kernel_shape']))}, and its weights are "
                f"{size_of(tuple(kernel))}",
                "export the model again",
            )
        make.convolution(
            position,
            path,
            weight,
            self._tensor(node, 2),
            stride=stride,
            padding=padding_of(node, kernel, stride, make.shape[1:]),
            dilation=pair(node, "dilations", [1, 1]),
            groups=given.get("group", 1),
        )

    def _gemm(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """(weight, bias) as ``nn.Linear`` has them."""
        if given.get("transA", 0):
            raise refuse(position_of(node), "it transposes the map", "leave the transposition out")
        weight = self._tensor(node, 1, axes=2)
        weight = given.get("alpha", 1.0) * (weight if given.get("transB", 0) else weight.T)
        if len(node.input) < 3 or not node.input[2]:
            return weight, None
        c = self._constant(node.input[2], np.float32)
        bias = one_per_channel(c, (self.assembler.batch, len(weight)), len(weight))
        if bias is None:
            raise refuse(
                position_of(node),
                f"C of {size_of(tuple(c.shape))} is no bias of {len(weight)} outputs",
                "give it one number per output, the same for every image",
            )
        return weight, given.get("beta", 1.0) * bias

    def _arithmetic(self, node: onnx.NodeProto) -> None:
        """Of the map and constants."""
        make, position, operation = self.assembler, position_of(node), node.op_type
        values = [self._constant(name) for name in node.input if name != self.current]
        first = node.input[0] == self.current
        if operation in ("Add", "Sum"):
            make.affine(position, operation, offset=sum(values, torch.zeros(()).double()))
        elif operation == "Mul":
            make.affine(position, operation, factor=values[0])
        elif operation == "Div" and first:
            make.affine(position, operation, factor=1 / values[0])
        elif operation == "Sub" and first:
            make.affine(position, operation, offset=-values[0])
        elif operation == "Sub":
            make.affine(position, operation, factor=-1.0, offset=values[0])
        elif operation == "Neg":
            make.affine(position, operation, factor=-1.0)
        else:
            raise unsupported(position, operation)

    def _activation(self, node: onnx.NodeProto, given: dict[str, Any]) -> None:
        """One that may be a ReLU, or nothing, with the numbers it has."""
        make, position, operation = self.assembler, position_of(node), node.op_type
        values = [self._constant(name) if name else None for name in node.input if name != self.current]
        match operation:
            case "LeakyRelu":
                make.leaky(position, operation, given.get("alpha", 0.01))
            case "PRelu":
                make.leaky(position, operation, values[0])
            case "Elu" | "ThresholdedRelu" if given.get("alpha", 1.0) == 0:
                make.relu(position)
            case "Clip":
                least = given.get("min", -inf) if not values or values[0] is None else values[0]
                most = given.get("max", inf) if len(values) < 2 or values[1] is None else values[1]
                make.clip(position, operation, least, most)
            case "Max":
                make.clip(
                    position, operation, reduce(torch.maximum, values, torch.tensor(-inf).double()), inf
                )
            case "Min":
                make.clip(
                    position, operation, -inf, reduce(torch.minimum, values, torch.tensor(inf).double())
                )
            case _:
                raise unsupported(position, operation)

    def _pad(self, node: onnx.NodeProto, given: dict[str, Any]) -> None:
        names = [*node.input[1:], "", "", ""]
        pads, axes = (self.constants.real(name) if name else None for name in (names[0], names[2]))
        amounts = [int(n) for n in (given.get("pads", ()) if pads is None else pads)]
        rank = len(self.shapes[self.current])
        over = range(rank) if axes is None else [int(axis) % rank for axis in axes]
        before, after = [0] * rank, [0] * rank
        for axis, low, high in zip(over, amounts, amounts[len(amounts) // 2 :], strict=False):
            before[axis], after[axis] = low, high
        if not any(amounts):
            return
        kind = given.get("mode", b"constant")
        if rank != 4 or any(before[:2] + after[:2]) or kind != b"constant":
            raise unsupported(position_of(node), "Pad")
        filled = self.constants.number(node, 2, given.get("value", 0.0))
        self.assembler.pad(position_of(node), "Pad", before[2:] + after[2:], filled)

    # --- inputs -------------------------------------------------------------------------------------

    def _moved(self, node: onnx.NodeProto) -> NDArray[Any]:
        """What a node makes of the numbers of the map's values."""
        count = prod(self.shapes[self.current])
        if count > self.constants.most:
            raise refuse(
                position_of(node),
                f"it takes {count:,} values, and at most {self.constants.most:,} can be followed",
                "export the model with a batch of 1",
            )
        return self.constants.run(node, {self.current: self.assembler.indices().numpy()})[node.output[0]]

    def _constant(self, name: str, kind: type[np.floating[Any]] = np.float64) -> Tensor:
        """A constant that is put together with the map. One of equal rows fits any open batch."""
        value = self.constants.real(name)
        rows = value.ndim == len(self.shapes[self.current]) and len(value) > 1
        if self.open_batch and rows and bool((value == value[:1]).all()):
            value = value[:1]
        return torch.from_numpy(np.array(value, kind))

    def _tensor(self, node: onnx.NodeProto, index: int, axes: int | None = None) -> Tensor | None:
        """A constant input, which must have so many axes; None where it is left out."""
        if index >= len(node.input) or not node.input[index]:
            return None
        tensor = torch.from_numpy(np.array(self.constants.real(node.input[index]), np.float32))
        if axes is not None and tensor.dim() != axes:
            raise refuse(
                position_of(node),
                f"its weights have {tensor.dim()} axes, not {axes}",
                "make it two-dimensional",
            )
        return tensor

    def _over_pixels(self, node: onnx.NodeProto, given: dict[str, Any]) -> bool:
        """Whether a reduction is one over rows and columns of a map."""
        axes = given.get("axes", ())
        if len(node.input) > 1:
            axes = self.constants.real(node.input[1]).tolist()
        return self.assembler.pixels_of(len(self.shapes[self.current]), axes)
