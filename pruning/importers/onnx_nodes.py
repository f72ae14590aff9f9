"""What nodes of ONNX files say: their position, attributes, padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import onnx
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning.importers import onnx_guard
from pruning.importers.refusals import refuse

FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.DOUBLE,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
}
"""Types between which a cast is a matter of rounding in what is quantised later anyway."""

PIXELS = FLOATS | {onnx.TensorProto.UINT8}
"""Types of images."""


def position_of(node: onnx.NodeProto) -> str:
    """The operation and the name of the node, or of its output if it has none."""
    return f"{node.op_type} node {node.name or node.output[0]!r}"


def path_of(node: onnx.NodeProto, number: int, weight: str) -> str:
    """What to call its layer: the module of its ``weight``, or the scope that torch puts into its own name.

    Its operation and ``number`` where nothing has a name.
    """
    module, dot, last = weight.rpartition(".")
    if dot and last == "weight":
        return module
    path = ""
    for scope in node.name.split("/")[:-1]:
        path = scope if scope.startswith(f"{path}.") else f"{path}.{scope}" if path else scope
    return path or node.name or f"{node.op_type.lower()}{number}"


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


def pair(node: onnx.NodeProto, name: str, default: Sequence[int] | None = None) -> list[int]:
    """An attribute for rows and columns. Without a default it must be there."""
    value = attributes(node).get(name, default)
    if value is None or len(value) != 2:
        says = "none" if value is None else list(value)
        raise refuse(position_of(node), f"{name} must be two numbers, not {says}", "export the model again")
    return list(value)


def sizes_of(value: onnx.ValueInfoProto) -> list[int]:
    """Of the input, the batch first, 0 for those that are open. Some exporters write these as -1."""
    return [max(d.dim_value, 0) for d in value.type.tensor_type.shape.dim] or [0]


def image(
    value: onnx.ValueInfoProto, network: str, wanted: Sequence[int] | None, last: bool = False
) -> tuple[int, Sequence[int]]:
    """(batch, (C, H, W)) of the input, which has its channels ``last`` or first; a batch that the file leaves
    open is 0."""
    kind = value.type.tensor_type
    batch, *shape = sizes_of(value)
    says = "×".join(str(n or "?") for n in (batch, *shape))
    if last and len(shape) == 3:
        shape = [shape[2], *shape[:2]]
    if kind.elem_type not in PIXELS:
        name = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
        raise UnsupportedNetwork(
            f"network {network!r} takes an input of type {name}, and images come as floats or bytes: export "
            "it with a float input"
        )
    if shape and len(shape) != 3:
        raise UnsupportedNetwork(
            f"network {network!r} takes an input of {says}, and the hardware takes maps of channels, rows "
            "and columns (a batch of four axes): export a network of two-dimensional convolutions"
        )
    if wanted is None and (not shape or 0 in shape):
        raise ConfigError(
            f"network {network!r} takes an input of {says}: give input_shape=(channels, height, width), in a "
            "recipe input = [channels, height, width], or export it with these sizes"
        )
    if (
        wanted
        and shape
        and (len(wanted) != 3 or any(h and h != w for h, w in zip(shape, wanted, strict=True)))
    ):
        raise ConfigError(f"network {network!r} takes an input of {says}, not of {tuple(wanted)}")
    if batch > onnx_guard.MOST_BATCH:
        raise ConfigError(
            f"network {network!r} takes batches of {batch:,} images, more than {onnx_guard.MOST_BATCH:,}: "
            "export it with a batch of 1"
        )
    return batch, wanted or shape


def padding_of(
    node: onnx.NodeProto,
    kernel: Sequence[int],
    stride: Sequence[int],
    size: Sequence[int],
    dilation: Sequence[int] = (1, 1),
) -> list[int]:
    """At the top, left, bottom and right, for maps of ``size`` (rows, columns)."""
    given = attributes(node)
    match given.get("auto_pad", b"NOTSET"):
        case b"NOTSET":
            pads = list(given.get("pads", [0, 0, 0, 0]))
            if len(pads) != 4:
                raise refuse(
                    position_of(node), f"pads must be four numbers, not {pads}", "export the model again"
                )
            return pads
        case b"VALID":
            return [0, 0, 0, 0]
        case b"SAME_UPPER" | b"SAME_LOWER" as same:
            wide = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
            totals = [
                max((-(-n // s) - 1) * s + k - n, 0) for k, s, n in zip(wide, stride, size, strict=False)
            ]
            less, more = [total // 2 for total in totals], [-(-total // 2) for total in totals]
            return less + more if same == b"SAME_UPPER" else more + less
        case other:
            raise refuse(position_of(node), f"unknown auto_pad {other.decode()}", "export the model again")


def average_pool(node: onnx.NodeProto, size: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """The pooling as a function, for maps of ``size``."""
    given, position = attributes(node), position_of(node)
    kernel, stride = pair(node, "kernel_shape"), pair(node, "strides", [1, 1])
    pads = padding_of(node, kernel, stride, size)
    if set(given.get("dilations", [1])) != {1}:
        raise refuse(position, "dilated average pooling", "leave the dilation out")
    counted, ceil = bool(given.get("count_include_pad", 0)), bool(given.get("ceil_mode", 0))
    return partial(average, kernel=kernel, stride=stride, pads=pads, ceil=ceil, counted=counted)


def average(
    x: Tensor, kernel: Sequence[int], stride: Sequence[int], pads: Sequence[int], ceil: bool, counted: bool
) -> Tensor:
    """Average pooling of (n, c, H, W), padded by ``pads`` at the top, left, bottom and right.

    counted: whether padding counts as pixels; ceil: a last window that begins within the map, or its first
    padding, is taken although it does not end there.
    """
    more = []
    for axis in range(2):
        within = x.shape[2 + axis] + pads[axis]
        rest = (within + pads[2 + axis] - kernel[axis]) % stride[axis]
        windows = (within + pads[2 + axis] - kernel[axis]) // stride[axis] + 1
        more.append(stride[axis] - rest if ceil and rest and windows * stride[axis] < within else 0)
    sides = (pads[1], pads[3], pads[0], pads[2])
    weights = pad(torch.ones_like(x[:1, :1]), sides, value=float(counted))
    whole, weights = (pad(t, (0, more[1], 0, more[0])) for t in (pad(x, sides), weights))
    sums, counts = (avg_pool2d(t, kernel, stride, divisor_override=1) for t in (whole, weights))
    return sums / counts
