"""``pruning.from_onnx``: an ONNX file as a network.

Whatever depends on constants and shapes only (a transposed weight, the target of a reshape) is computed on
the way, by ONNX's reference evaluator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator
from torch import Tensor
from torch.nn.functional import avg_pool2d

from hw import names
from hw.documents import printable, said
from hw.errors import ConfigError, Spec2Error, UnsupportedNetwork
from hw.network import MOST
from pruning.importers import onnx_guard
from pruning.importers.assemble import Assembler, Converted
from pruning.importers.refusals import refuse, unsupported

BATCH = 2
"""Images in a batch whose size the file leaves open: more than one, so that reshapes that mix images show."""


def from_onnx(
    path: str | PathLike[str], input_shape: Sequence[int] | None = None, name: str | None = None
) -> Converted:
    """The network in an ONNX file, with its weights: what :func:`pruning.convert` gives for a module.

    ``input_shape`` (C, H, W) is needed where the file leaves it open; ``name`` is else that of the file.
    Layers are called after their weights or nodes. The ``Chain`` is in training mode, as a new module is, and
    in float32. Raises ``UnsupportedNetwork`` as :func:`pruning.convert` does, ``ConfigError`` for a file that
    cannot be read.
    """
    path = Path(path)
    try:
        model = onnx.load(path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # protobuf's errors and ONNX's own have no common class
        raise ConfigError(f"{path} is no ONNX model: {said(error)}") from None
    constants = onnx_guard.constants(path, model.graph.initializer)
    try:
        with torch.no_grad():
            return _Walk(model, constants, name or names.closest(path.stem, "network"), input_shape).run()
    except Spec2Error as error:  # it names nodes as the file does
        raise type(error)(printable(str(error), 800)) from None
    except Exception as error:  # of numpy, torch and ONNX, about sizes that do not fit
        raise onnx_guard.unsound(path, error) from None


class _Walk:
    """Follows the nodes from image to output, and tells an assembler."""

    def __init__(
        self,
        model: onnx.ModelProto,
        constants: dict[str, NDArray[Any]],
        name: str,
        input_shape: Sequence[int] | None,
    ) -> None:
        graph = model.graph
        self.graph, self.opsets = graph, {o.domain: o.version for o in model.opset_import}
        self.read = {name for node in graph.node for name in node.input} | {o.name for o in graph.output}
        self.constants = constants
        self.most = max(onnx_guard.MOST, *(value.size for value in constants.values()), 0)
        """Elements of what is computed on the way."""
        inputs = [i for i in graph.input if i.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise UnsupportedNetwork(
                f"network {name!r} has {len(inputs)} inputs and {len(graph.output)} outputs, and the "
                "hardware takes one map and gives one result: export the part between"
            )
        self.current = inputs[0].name
        batch, shape = _image(inputs[0], name, input_shape)
        self.batch = batch or BATCH
        self.assembler = Assembler(name, shape)
        self.shapes: dict[str, tuple[int, ...]] = {self.current: (self.batch, *self.assembler.shape)}
        """Of every map so far, batch first."""

    def run(self) -> Converted:
        for node in self.graph.node:
            inputs = [n for n in node.input if n]
            if node.domain not in ("", "ai.onnx") or any(a.HasField("g") for a in node.attribute):
                raise unsupported(_place(node), node.op_type)
            if self._computable(node.op_type, inputs):
                self.constants |= self._compute(node)
            elif [n for n in inputs if n not in self.constants] != [self.current]:
                raise self._refuse_branch(node)
            else:
                self._step(node)
                self.current = node.output[0]
                self.shapes[self.current] = (self.batch, *self.assembler.shape)
        if self.graph.output[0].name != self.current:
            raise UnsupportedNetwork(
                f"output {self.graph.output[0].name!r} is not that of the last layer, which is what the "
                "hardware gives: export it alone"
            )
        return self.assembler.finish()

    # --- constants ----------------------------------------------------------------------------------

    def _computable(self, operation: str, inputs: list[str]) -> bool:
        if operation == "Shape":
            return all(name in self.shapes or name in self.constants for name in inputs)
        return all(name in self.constants for name in inputs)

    def _compute(self, node: onnx.NodeProto) -> dict[str, NDArray[Any]]:
        """The outputs of a node; maps count as zeros."""
        inputs = [name for name in node.input if name]
        zero = np.zeros(())
        known = {
            n: self.constants[n] if n in self.constants else np.broadcast_to(zero, self.shapes[n])
            for n in inputs
        }
        ends = ([onnx.helper.make_empty_tensor_value_info(n) for n in ns] for ns in (inputs, node.output))
        graph = onnx.helper.make_graph([node], "one", *ends)
        try:
            if node.op_type != "Shape":
                onnx_guard.check(node, known, self.opsets, self.most)
            results = ReferenceEvaluator(graph, self.opsets).run(None, known)
        except Exception as error:  # whatever numpy says of shapes that do not fit
            why = f"it cannot be computed ({said(error)})"
            raise refuse(_place(node), why, "simplify the model") from None
        return dict(zip(node.output, results, strict=True))

    # --- operations ---------------------------------------------------------------------------------

    def _refuse_branch(self, node: onnx.NodeProto) -> UnsupportedNetwork:
        if node.op_type in ("Add", "Sum", "Concat", "Mul", "Sub", "Div"):
            return unsupported(_place(node), node.op_type)
        return refuse(
            _place(node),
            "it does not take the output of the node before, and the hardware runs chains",
            "use a network without branches, like VGG16",
        )

    def _step(self, node: onnx.NodeProto) -> None:
        """One operation on the current map."""
        make, place = self.assembler, _place(node)
        if node.input[0] != self.current and node.op_type != "Add":
            raise refuse(place, "a constant takes the place of the map", "swap the operands")
        if any(output in self.read for output in node.output[1:]):
            raise refuse(place, "its second output is used", "leave that out")
        given = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        match node.op_type:
            case "Conv":
                weight = self._tensor(node, 1, axes=4)
                stride = given.get("strides", [1, 1])
                make.convolution(
                    place,
                    self._path(node),
                    weight,
                    self._tensor(node, 2),
                    stride=stride,
                    padding=_padding(given, weight.shape[2:], stride, make.shape[1:]),
                    dilation=given.get("dilations", [1, 1]),
                    groups=given.get("group", 1),
                )
            case "Gemm":
                make.linear(place, self._path(node), *self._gemm(node, given))
            case "MatMul":
                make.linear(place, self._path(node), self._tensor(node, 1, axes=2).T, None)
            case "Add":
                if not make.add_bias(self._tensor(node, 1 if node.input[0] == self.current else 0)):
                    raise unsupported(place, "Add")
            case "BatchNormalization":
                weight, bias, mean, variance = (self._tensor(node, i) for i in range(1, 5))
                if given.get("training_mode", 0):
                    mean = variance = None
                make.batch_norm(
                    place,
                    weight=weight,
                    bias=bias,
                    mean=mean,
                    variance=variance,
                    eps=given.get("epsilon", 1e-5),
                    momentum=1 - given.get("momentum", 0.9),  # ONNX's is the share that stays
                )
            case "Relu":
                make.relu(place)
            case "MaxPool":
                kernel, stride = given["kernel_shape"], given.get("strides", [1, 1])
                make.max_pool(
                    place,
                    kernel=kernel,
                    stride=stride,
                    padding=_padding(given, kernel, stride, make.shape[1:]),
                    dilation=given.get("dilations", [1, 1]),
                    ceil=bool(given.get("ceil_mode", 0)),
                )
            case "AveragePool":
                make.average(place, _average_pool(place, given))
            case "GlobalAveragePool":
                make.average(place, lambda x: x.mean((2, 3), keepdim=True))
            case "ReduceMean" if self._over_pixels(node, given):
                make.average(place, lambda x: x.mean((2, 3), keepdim=True))
                if not given.get("keepdims", 1):
                    make.reshape(place, (self.batch, make.shape[0]), self.batch)
            case "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze":
                make.reshape(place, self._compute(node)[node.output[0]].shape, self.batch)
            case "Dropout" | "Identity":
                pass
            case other:
                raise unsupported(place, other)

    def _tensor(self, node: onnx.NodeProto, index: int, axes: int | None = None) -> Tensor | None:
        """A constant input, which must have so many axes; None where it is left out."""
        if index >= len(node.input) or not node.input[index]:
            return None
        tensor = torch.from_numpy(np.array(self.constants[node.input[index]], np.float32))
        if axes is not None and tensor.dim() != axes:
            raise refuse(
                _place(node), f"its weights have {tensor.dim()} axes, not {axes}", "make it two-dimensional"
            )
        return tensor

    def _gemm(self, node: onnx.NodeProto, given: dict[str, Any]) -> tuple[Tensor, Tensor | None]:
        """(weight, bias) as ``nn.Linear`` has them."""
        if given.get("transA", 0):
            raise refuse(_place(node), "it transposes the map", "leave the transposition out")
        weight, bias = self._tensor(node, 1, axes=2), self._tensor(node, 2)
        weight = given.get("alpha", 1.0) * (weight if given.get("transB", 0) else weight.T)
        if bias is not None:
            bias = given.get("beta", 1.0) * bias.flatten().expand(len(weight))
        return weight, bias

    def _over_pixels(self, node: onnx.NodeProto, given: dict[str, Any]) -> bool:
        """Whether a reduction is one over rows and columns of a map."""
        axes = self.constants[node.input[1]].tolist() if len(node.input) > 1 else given.get("axes", ())
        rank = len(self.shapes[self.current])
        return rank == 4 and {axis % rank for axis in axes} == {2, 3}

    def _path(self, node: onnx.NodeProto) -> str:
        """What to call the layer: its weight's module, or the scope that torch puts into the node's name."""
        module, dot, last = node.input[1].rpartition(".")
        if dot and last == "weight":
            return module
        path = ""
        for scope in node.name.split("/")[:-1]:
            path = scope if scope.startswith(f"{path}.") else f"{path}.{scope}" if path else scope
        return path or node.name or f"{node.op_type.lower()}{len(self.shapes)}"


# --- nodes --------------------------------------------------------------------------------------------


def _place(node: onnx.NodeProto) -> str:
    """The operation and the name of the node, or of its output if it has none."""
    return f"{node.op_type} node {node.name or node.output[0]!r}"


def _image(
    value: onnx.ValueInfoProto, network: str, wanted: Sequence[int] | None
) -> tuple[int, Sequence[int]]:
    """(batch, (C, H, W)) of the input; a batch that the file leaves open is 0."""
    batch, *shape = (d.dim_value for d in value.type.tensor_type.shape.dim) or (0,)
    says = "×".join(str(n or "?") for n in (batch, *shape))
    if wanted is None and (len(shape) != 3 or 0 in shape):
        raise ConfigError(
            f"network {network!r} takes an input of {says}: give input_shape=(channels, height, width), or "
            "export it with these sizes"
        )
    if wanted and any(has and has != size for has, size in zip(shape, wanted, strict=False)):
        raise ConfigError(f"network {network!r} takes an input of {says}, not of {tuple(wanted)}")
    if not 0 <= batch <= onnx_guard.MOST_BATCH or not all(1 <= size <= MOST for size in wanted or shape):
        raise ConfigError(f"network {network!r} takes an input of {says}: no sizes of images")
    return batch, wanted or shape


def _padding(
    given: dict[str, Any], kernel: Sequence[int], stride: Sequence[int], size: Sequence[int]
) -> list[int]:
    """Of every side, for maps of ``size``."""
    match given.get("auto_pad", b"NOTSET"):
        case b"NOTSET":
            return list(given.get("pads", [0]))
        case b"VALID":
            return [0]
    sides = []
    for k, s, n in zip(kernel, stride, size, strict=False):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        sides += [total // 2, total - total // 2]
    return sides


def _average_pool(place: str, given: dict[str, Any]) -> Callable[[Tensor], Tensor]:
    """The pooling as a function."""
    pads = given.get("pads", [0, 0, 0, 0])
    if given.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID") or pads[:2] != pads[2:]:
        raise refuse(place, "average pooling with padding that differs from side to side", "pad evenly")
    if set(given.get("dilations", [1])) != {1}:
        raise refuse(place, "dilated average pooling", "leave the dilation out")
    return partial(
        avg_pool2d,
        kernel_size=given["kernel_shape"],
        stride=given.get("strides", [1, 1]),
        padding=pads[:2],
        ceil_mode=bool(given.get("ceil_mode", 0)),
        count_include_pad=bool(given.get("count_include_pad", 0)),
    )
