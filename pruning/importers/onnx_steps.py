"""What ONNX's operations do to maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from math import inf
from typing import Any

import numpy as np
import onnx
import torch
from torch import Tensor
from torch.nn.functional import pad

from hw.util.errors import UnsupportedNetwork
from pruning.importers import operations
from pruning.importers.assemble import Assembler
from pruning.importers.maps import one_per_channel, size_of
from pruning.importers.onnx_constants import Constants
from pruning.importers.onnx_growth import enlarging
from pruning.importers.onnx_inputs import Inputs
from pruning.importers.onnx_layout import LAST_TO_FIRST, stays_whole
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
from pruning.importers.values import Value

EITHER_WAY = {"Add", "Concat", "Div", "Max", "Min", "Mul", "Sub", "Sum"}
"""Operations that take a constant in the first place and the map in another."""

ENLARGING = {"DepthToSpace", "Resize", "Upsample"}
"""Operations that may make larger maps; ``Upsample`` is the name of the second before opset 10."""


class Steps(Inputs):
    """Takes nodes in their order and tells an ``assembler``.

    ``read``: names that some node, or the caller, reads, and how often.
    """

    def __init__(
        self,
        assembler: Assembler,
        constants: Constants,
        image: str,
        read: Counter[str],
        *,
        open_batch: bool,
        whole: bool = False,
    ) -> None:
        super().__init__(assembler, constants, image, open_batch)
        self.read = read
        self.whole = {image} if whole else set()
        """Names of images whose pixels are whole numbers still."""

    def step(self, node: onnx.NodeProto, names: list[str]) -> dict[str, Value]:
        """What a node gives for the maps ``names``, by name; what may be the last one is left to the host."""
        self.current = names[0]
        value = self.values[self.current]
        if not self.whole.isdisjoint(names) and stays_whole(node):
            self.whole.update(node.output)
        if operations.reshapes(node.op_type) or operations.may_follow(node.op_type):
            values, moves = [self.values[name] for name in names], operations.reshapes(node.op_type)
            followed = self.assembler.follow(values, position_of(node), moves=moves)
            if followed is not None:
                return dict.fromkeys(filter(None, node.output), followed)
        try:
            if operations.of_onnx(node.op_type) == "parts":
                return self._split(node)
            return {node.output[0]: self._apply(node, names)}
        except UnsupportedNetwork as error:
            if not operations.may_end(node.op_type) or len(names) > 1:
                raise
            return dict.fromkeys(
                filter(None, node.output), self.assembler.leave(value, position_of(node), error)
            )

    def _apply(self, node: onnx.NodeProto, names: list[str]) -> Value:
        make, position, operation = self.assembler, position_of(node), node.op_type
        value = self.values[self.current]
        if node.input[0] != self.current and operation not in EITHER_WAY:
            raise refuse(position, "a constant takes the place of the map", "swap the operands")
        if len(names) > 1 and operation not in ("Add", "Sum", "Sub", "Concat", "Max", "Min"):
            raise unsupported(position, f"{operation} of maps")
        if any(output in self.read for output in node.output[1:]):
            raise refuse(position, "its second output is used", "leave that out")
        given = attributes(node)
        match operations.of_onnx(operation):
            case "convolution" | "transposed convolution" | "fully connected":
                return self._layer(node, given)
            case "larger maps" | "left to the host" if operation in ENLARGING:
                return make.enlarge(value, position, operation, self._enlarging(node, given))
            case "batch norm":
                weight, bias, mean, variance = (self._tensor(node, i) for i in range(1, 5))
                if self.constants.learns(node):
                    mean = variance = None
                return make.batch_norm(
                    value,
                    position,
                    weight=weight,
                    bias=bias,
                    mean=mean,
                    variance=variance,
                    eps=given.get("epsilon", 1e-5),
                    momentum=1 - given.get("momentum", 0.9),  # ONNX's is the share that stays
                )
            case "arithmetic":
                return self._arithmetic(node, names)
            case "relu":
                return make.relu(value, position)
            case "clip" if len(names) > 1:
                if len(names) < len(node.input):
                    raise unsupported(position, operation)
                maps = (self.values[name] for name in names)
                return reduce(lambda a, b: make.extreme(position, a, b, least=operation == "Min"), maps)
            case "leaky" | "clip":
                return self._activation(node, given)
            case "max pooling" if operation == "GlobalMaxPool":
                return make.whole_max_pool(value, position)
            case "maximum of pixels" if self._over_pixels(node, given) == (2, 3):
                return make.maximum(value, position, self._shape(node))
            case "max pooling":
                kernel, stride = pair(node, "kernel_shape"), pair(node, "strides", [1, 1])
                return make.max_pool(
                    value,
                    position,
                    kernel=kernel,
                    stride=stride,
                    padding=padding_of(node, kernel, stride, value.shape[1:]),
                    dilation=given.get("dilations", [1, 1]),
                    ceil=bool(given.get("ceil_mode", 0)),
                )
            case "average pooling" if operation == "AveragePool":
                return make.average(value, position, average_pool(node, value.shape[1:]))
            case "average pooling":
                return make.average(value, position, lambda x: x.mean((2, 3), keepdim=True))
            case "mean" if over := self._over_pixels(node, given):
                return make.mean(value, position, over, self._shape(node), sums=operation == "ReduceSum")
            case "join":
                return self._joined(node, given)
            case "pad":
                return self._pad(node, given)
            case "move":
                return make.move(value, position, operation, self._moving(node))
            case "cast" if given.get("to") in FLOATS:
                return value
            case "dropout" if not self.constants.drops(node):
                return value
            case "identity":
                return value
            case _:
                raise unsupported(position, operation)

    # --- operations ---------------------------------------------------------------------------------

    def _layer(self, node: onnx.NodeProto, given: dict[str, Any]) -> Value:
        make, position = self.assembler, position_of(node)
        path = path_of(node, len(self.shapes), self.constants.origins.get(node.input[1], node.input[1]))
        value = self.values[self.current]
        if node.op_type == "MatMul":
            return make.linear(value, position, path, self._tensor(node, 1, axes=2).T, None)
        if node.op_type == "Gemm":
            return make.linear(value, position, path, *self._gemm(node, given))
        weight, stride = self._tensor(node, 1, axes=4), pair(node, "strides", [1, 1])
        kernel, dilation = list(weight.shape[2:]), pair(node, "dilations", [1, 1])
        if pair(node, "kernel_shape", kernel) != kernel:
            raise refuse(
                position,
                f"kernel_shape says {size_of(tuple(given['kernel_shape']))}, and its weights are "
                f"{size_of(tuple(kernel))}",
                "export the model again",
            )
        if node.op_type == "ConvTranspose":
            if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or given.get("output_shape"):
                raise refuse(position, "its padding follows from what it makes", "give it pads")
            return make.transposed_convolution(
                value,
                position,
                path,
                weight,
                self._tensor(node, 2),
                stride=stride,
                padding=padding_of(node, kernel, stride, value.shape[1:], dilation),
                more=pair(node, "output_padding", [0, 0]),
                dilation=dilation,
                groups=given.get("group", 1),
            )
        return make.convolution(
            value,
            position,
            path,
            weight,
            self._tensor(node, 2),
            stride=stride,
            padding=padding_of(node, kernel, stride, value.shape[1:], dilation),
            dilation=dilation,
            groups=given.get("group", 1),
        )

    def _enlarging(self, node: onnx.NodeProto, given: dict[str, Any]) -> Callable[[Tensor], Tensor]:
        names = [*node.input[1:], "", "", ""]
        if node.op_type == "Upsample" or len(node.input) == 2:
            names = ["", *names]  # its scales come first
        scales, sizes = (self.constants.real(name) if name else None for name in names[1:3])
        lists = [given.get("scales"), None] if scales is None and sizes is None else [scales, sizes]
        return enlarging(
            node,
            given,
            *(None if found is None else [float(n) for n in found] for found in lists),
            self.shapes[self.current],
        )

    def _gemm(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """(weight, bias) as ``nn.Linear`` has them."""
        if given.get("transA", 0):
            raise refuse(position_of(node), "it transposes the map", "leave the transposition out")
        weight = self._tensor(node, 1, axes=2)
        weight, factor = weight if given.get("transB", 0) else weight.T, given.get("alpha", 1.0)
        weight = weight if factor == 1 else factor * weight
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

    def _arithmetic(self, node: onnx.NodeProto, names: list[str]) -> Value:
        """Of maps and constants."""
        make, position, operation = self.assembler, position_of(node), node.op_type
        value = self.values[self.current]
        values = [self._constant(name) for name in node.input if name not in self.values]
        for name in names[1:]:
            other, sign = self.values[name], -1.0 if operation == "Sub" else 1.0
            value = make.add(position, value, make.affine(other, position, operation, factor=sign))
        if len(names) > 1 and operation == "Sub":
            return value
        first = node.input[0] == self.current
        if operation in ("Add", "Sum"):
            return make.affine(value, position, operation, offset=sum(values, torch.zeros(()).double()))
        elif operation == "Mul":
            return make.affine(value, position, operation, factor=values[0])
        elif operation == "Div" and first:
            return make.affine(value, position, operation, factor=1 / values[0])
        elif operation == "Sub" and first:
            return make.affine(value, position, operation, offset=-values[0])
        elif operation == "Sub":
            return make.affine(value, position, operation, factor=-1.0, offset=values[0])
        elif operation == "Neg":
            return make.affine(value, position, operation, factor=-1.0)
        raise unsupported(position, operation)

    def _activation(self, node: onnx.NodeProto, given: dict[str, Any]) -> Value:
        """One that may be a ReLU, or nothing, with the numbers it has."""
        make, position, operation = self.assembler, position_of(node), node.op_type
        value = self.values[self.current]
        values = [self._constant(name) if name else None for name in node.input if name != self.current]
        match operation:
            case "LeakyRelu":
                return make.leaky(value, position, operation, given.get("alpha", 0.01))
            case "PRelu":
                return make.leaky(value, position, operation, values[0])
            case "Elu" | "ThresholdedRelu" if given.get("alpha", 1.0) == 0:
                return make.relu(value, position)
            case "Clip":
                least = given.get("min", -inf) if not values or values[0] is None else values[0]
                most = given.get("max", inf) if len(values) < 2 or values[1] is None else values[1]
                return make.clip(value, position, operation, least, most)
            case "Max":
                return make.clip(
                    value,
                    position,
                    operation,
                    reduce(torch.maximum, values, torch.tensor(-inf).double()),
                    inf,
                )
            case "Min":
                return make.clip(
                    value,
                    position,
                    operation,
                    -inf,
                    reduce(torch.minimum, values, torch.tensor(inf).double()),
                )
            case _:
                raise unsupported(position, operation)

    def _pad(self, node: onnx.NodeProto, given: dict[str, Any]) -> Value:
        names = [*node.input[1:], "", "", ""]
        pads, axes = (self.constants.real(name) if name else None for name in (names[0], names[2]))
        amounts = [int(n) for n in (given.get("pads", ()) if pads is None else pads)]
        rank = len(self.shapes[self.current])
        over = range(rank) if axes is None else [int(axis) % rank for axis in axes]
        before, after = [0] * rank, [0] * rank
        for axis, low, high in zip(over, amounts, amounts[len(amounts) // 2 :], strict=False):
            before[axis], after[axis] = low, high
        value = self.values[self.current]
        if value.last and rank == 4 and min(amounts) >= 0 and not before[3] + after[3]:
            before, after = ([ends[axis] for axis in LAST_TO_FIRST] for ends in (before, after))
        if not any(amounts):
            return value
        position, kind = position_of(node), given.get("mode", b"constant")
        filled = self.constants.number(node, 2, given.get("value", 0.0))
        moves = rank == 4 and not filled and not any(before[:1] + after[:1])
        if kind == b"constant" and moves and (any(before[1:2] + after[1:2]) or min(amounts) < 0):
            sides = [n for pair in zip(before[::-1], after[::-1], strict=True) for n in pair][:-2]
            return self.assembler.move(value, position, "Pad", lambda x: pad(x, sides, value=-1))
        if rank != 4 or any(before[:2] + after[:2]) or kind != b"constant":
            raise unsupported(position, "Pad")
        return self.assembler.pad(value, position, "Pad", before[2:] + after[2:], filled)

    def _joined(self, node: onnx.NodeProto, given: dict[str, Any]) -> Value:
        found: list[Value | None] = []
        shapes = []
        for name in node.input:
            if name in self.values:
                found.append(self.values[name])
                shapes.append(self.shapes[name])
            else:
                constant = self._constant(name)
                if bool((constant != 0).any()):
                    raise unsupported(position_of(node), "Concat")
                found.append(None)
                shapes.append(tuple(constant.shape))
        return self.assembler.joined(position_of(node), found, given["axis"], shapes)

    def _split(self, node: onnx.NodeProto) -> dict[str, Value]:
        value, position = replace(self.values[self.current], shared=True), position_of(node)
        return {
            output: self.assembler.move(value, position, "Split", self._moving(node, output))
            for output in node.output
        }
