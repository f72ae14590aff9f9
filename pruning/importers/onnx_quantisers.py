"""What quantisers of ONNX files do to numbers: QuantizeLinear and DequantizeLinear, and those of QONNX.

A quantiser has a *grid*: the multiples (q - zero) · step of whole numbers q from least to most. QONNX's
``Quant`` (A. Pappalardo et al., arXiv:2206.07527, section 5) rounds to its grid and gives real numbers again;
QuantizeLinear gives the whole numbers, for a DequantizeLinear behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from pruning.importers.onnx_nodes import attributes, position_of
from pruning.importers.refusals import refuse

Array = NDArray[Any]

PLAIN = {"", "ai.onnx"}
QONNX = {"qonnx.custom_op.general", "finn.custom_op.general", "onnx.brevitas"}
"""Domains of QONNX's operations, the older names last."""

NODES = {
    **dict.fromkeys(("Quant", "IntQuant", "BipolarQuant", "Trunc"), QONNX),
    **dict.fromkeys(("QuantizeLinear", "DequantizeLinear"), PLAIN),
}

INTEGERS = {"int2", "uint2", "int4", "uint4", "int8", "uint8", "int16", "uint16", "int32"}

MOST_BITS = 32


def is_quantiser(node: onnx.NodeProto) -> bool:
    return node.domain in NODES.get(node.op_type, ())


def without_quantisers(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` with nothing in the place of those that ONNX does not know: for the inference of shapes."""
    found = onnx.ModelProto()
    found.CopyFrom(model)
    for node in found.graph.node:
        if is_quantiser(node) and node.domain not in PLAIN:
            node.CopyFrom(onnx.helper.make_node("Identity", node.input[:1], node.output))
    return found


@dataclass(frozen=True)
class Grid:
    """Whole numbers from ``least`` to ``most``, less ``zero``, times ``step``: arrays that are put together
    with what is rounded. rounding: in capitals, as QONNX calls it. bits: of the whole numbers."""

    step: Array
    zero: Array
    least: float
    most: float
    bits: int
    rounding: str = "ROUND"

    @property
    def range(self) -> tuple[float, float]:
        """The real numbers that it reaches, where it is the same for all that is rounded."""
        step, zero = (float(value.flat[0]) for value in (self.step, self.zero))
        return (self.least - zero) * step, (self.most - zero) * step

    @property
    def uniform(self) -> bool:
        """Whether it is the same for all that is rounded."""
        return all(bool((value == value.flat[0]).all()) for value in (self.step, self.zero))

    def within(self, least: float, most: float) -> Grid:
        """Of fewer whole numbers."""
        least, most = max(self.least, least), min(self.most, most)
        return replace(self, least=least, most=most, bits=min(self.bits, bits_of(least, most)))

    def whole(self, x: Array) -> Array:
        """The whole numbers of the real numbers ``x``, in float32."""
        q = x.astype(np.float32) / self.step + self.zero
        return _ROUNDINGS[self.rounding](np.clip(q, np.float32(self.least), np.float32(self.most)))

    def real(self, q: Array) -> Array:
        return ((q - self.zero) * self.step).astype(np.float32)


def bits_of(least: float, most: float) -> int:
    """Bits that tell so many whole numbers apart."""
    return max(1, int(most - least).bit_length())


def width(node: onnx.NodeProto, values: Mapping[str, Array]) -> int:
    """Bits of the whole numbers that a quantiser of a constant has; of a type, those that are used."""
    given = values[node.input[0]]
    if node.op_type == "BipolarQuant":
        return 1
    if node.op_type != "DequantizeLinear":
        return grid(node, values, given.shape).bits
    whole = given.astype(np.int64)
    return bits_of(float(whole.min()), float(whole.max())) if whole.size else 1


@np.errstate(all="ignore")  # numbers that are none stay so, and are refused where weights are
def constant(node: onnx.NodeProto, values: Mapping[str, Array]) -> Array:
    """What a quantiser makes of a constant. Raises ``UnsupportedNetwork``."""
    given = values[node.input[0]]
    if node.op_type == "BipolarQuant":
        step = _fitting(node, _numbers(node, values, 1)[0], given.shape)
        return (np.where(given >= 0, 1, -1) * step).astype(np.float32)
    if node.op_type == "Trunc":
        raise refuse(position_of(node), "it computes a constant", "put its result in the file")
    found = grid(node, values, given.shape)
    if node.op_type == "DequantizeLinear":
        _check_kind(node, given)
        return found.real(given.astype(np.float32) if given.dtype != np.int32 else given.astype(np.float64))
    if node.op_type == "QuantizeLinear":
        whole = np.clip(np.rint(given.astype(np.float32) / found.step) + found.zero, found.least, found.most)
        return whole.astype(_kind(node, values))
    if found.bits == 1 and found.least < 0:  # of one bit with a sign: -1 and 1
        return found.real(np.where(given / found.step + found.zero >= 0, 1, -1))
    return found.real(found.whole(given))


def grid(node: onnx.NodeProto, values: Mapping[str, Array], shape: Sequence[int]) -> Grid:
    """That of a quantiser, for what has ``shape``. Raises ``UnsupportedNetwork``."""
    if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
        return _grid_of_onnx(node, values, shape)
    step, zero = _numbers(node, values, 1, 2)
    given = attributes(node)
    bits = _bits(node, values, 5 if len(node.input) > 5 else 4 if node.op_type == "Trunc" else 3)
    signed, narrow = bool(given.get("signed", 1)), bool(given.get("narrow", 0))
    if node.op_type == "Trunc" and len(node.input) > 5:
        (coarse,) = _numbers(node, values, 4)
        zero, step = zero / np.exp2(np.rint(np.log2(coarse / step))), coarse
    least = -(2.0 ** (bits - 1)) + narrow if signed else 0.0
    most = 2.0 ** (bits - 1) - 1 if signed else 2.0**bits - 1 - narrow
    rounding = given.get("rounding_mode", b"ROUND").decode(errors="replace").upper()
    if rounding not in _ROUNDINGS:
        known = ", ".join(_ROUNDINGS)
        raise refuse(position_of(node), f"rounding {rounding!r} is none of {known}", "use ROUND")
    step, zero = (_fitting(node, value, shape) for value in (step, zero))
    return Grid(_checked(node, step), zero, least, most, bits, rounding)


def cut_bits(node: onnx.NodeProto, values: Mapping[str, Array]) -> int | None:
    """By how many bits a ``Trunc`` of five inputs makes its map smaller; None for the one of six, which does
    not."""
    if len(node.input) > 5:
        return None
    return _bits(node, values, 3) - _bits(node, values, 4)


def _grid_of_onnx(node: onnx.NodeProto, values: Mapping[str, Array], shape: Sequence[int]) -> Grid:
    kind = np.dtype(_kind(node, values))
    if kind.name not in INTEGERS:
        raise refuse(
            position_of(node), f"quantised to {kind.name}, no whole numbers", "quantise to 8 bits or fewer"
        )
    (step,) = _numbers(node, values, 1)
    zero = _numbers(node, values, 2)[0] if len(node.input) > 2 and node.input[2] else np.zeros_like(step)
    step, zero = (_spread(node, value, shape) for value in (step, zero))
    signed, bits = kind.name.startswith("i"), int(kind.name.removeprefix("u").removeprefix("int"))
    least, most = (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    return Grid(_checked(node, step), zero, least, most, bits)


def _kind(node: onnx.NodeProto, values: Mapping[str, Array]) -> Any:
    """The type of the whole numbers."""
    if node.op_type == "DequantizeLinear" and node.input[0] in values:
        return values[node.input[0]].dtype
    if len(node.input) > 2 and node.input[2]:
        return values[node.input[2]].dtype
    output = attributes(node).get("output_dtype", 0)
    return onnx.helper.tensor_dtype_to_np_dtype(output) if output else np.dtype(np.uint8)


def _spread(node: onnx.NodeProto, value: Array, shape: Sequence[int]) -> Array:
    """``value`` along the axis of the node, so that it can be put together with what has ``shape``."""
    given = attributes(node)
    axis, block, rank = given.get("axis", 1), given.get("block_size", 0), len(shape)
    if value.size == 1 or not rank:
        return _fitting(node, value, shape)
    if not -rank <= axis < rank:
        raise refuse(position_of(node), f"axis {axis} of {rank}", "export the model again")
    if block:
        if not 1 <= block <= shape[axis]:
            raise refuse(position_of(node), f"blocks of {block} of {shape[axis]}", "export the model again")
        rows = np.repeat(value, block, axis)
        value = rows[(*[slice(None)] * (axis % rank), slice(shape[axis]))]
    else:
        sizes = [1] * rank
        sizes[axis] = -1
        value = value.reshape(sizes)
    return _fitting(node, value, shape)


def _fitting(node: onnx.NodeProto, value: Array, shape: Sequence[int]) -> Array:
    """``value``, which must fit what has ``shape`` without making it larger."""
    if value.size == 1:
        return value.reshape(())
    try:
        np.broadcast_to(value, shape)
    except ValueError:
        numbers = "×".join(map(str, value.shape))
        what = f"{numbers} steps for {'×'.join(map(str, shape))} numbers"
        raise refuse(position_of(node), what, "export the model again") from None
    return value


def _numbers(node: onnx.NodeProto, values: Mapping[str, Array], *indices: int) -> list[Array]:
    """Inputs that must be constants, as float32."""
    found = []
    for index in indices:
        name = node.input[index] if index < len(node.input) else ""
        if name not in values:
            what = f"its input {name!r} is no constant: it follows the image" if name else f"no input {index}"
            raise refuse(position_of(node), what, "quantise with steps that are in the file (static)")
        found.append(np.asarray(values[name]).astype(np.float32))
    return found


def _bits(node: onnx.NodeProto, values: Mapping[str, Array], index: int) -> int:
    (found,) = _numbers(node, values, index)
    bits = float(found.flat[0]) if found.size else 0.0
    if not (bits == found).all() or bits != int(bits) or not 1 <= bits <= MOST_BITS:
        raise refuse(position_of(node), f"{bits:g} bits", f"give one width of 1 to {MOST_BITS}")
    return int(bits)


def _checked(node: onnx.NodeProto, step: Array) -> Array:
    if not step.size or not bool((np.isfinite(step) & (step > 0)).all()):
        raise refuse(position_of(node), "its step is not above zero and finite", "quantise the model again")
    return step


def _check_kind(node: onnx.NodeProto, given: Array) -> None:
    if given.dtype.name not in INTEGERS:
        raise refuse(
            position_of(node), f"numbers of type {given.dtype.name}, no whole ones", "quantise to 8 bits"
        )


def _away(x: Array) -> Array:
    return np.sign(x) * np.ceil(np.abs(x))


_ROUNDINGS: dict[str, Callable[[Array], Array]] = {
    "ROUND": np.rint,
    "HALF_EVEN": np.rint,
    "CEIL": np.ceil,
    "FLOOR": np.floor,
    "UP": _away,
    "DOWN": np.trunc,
    "HALF_UP": lambda x: np.sign(x) * np.floor(np.abs(x) + 0.5),
    "HALF_DOWN": lambda x: np.sign(x) * np.ceil(np.abs(x) - 0.5),
}
"""QONNX's, those of halves away from zero and towards it."""

TO_NEAREST = {"ROUND", "HALF_EVEN", "HALF_UP", "HALF_DOWN"}
