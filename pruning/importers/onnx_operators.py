"""Operators that take and give whole numbers (``QLinearConv`` and its kin, ONNX Runtime's QOperator form),
written as what they are: quantisers in pairs (QDQ) around operators of real numbers.

What is between two of them is read as of a file in that form (:mod:`pruning.importers.onnx_quantised`). Those
whose steps follow from the image (``ConvInteger``, ``MatMulInteger``) stay what they are, and are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import onnx
from onnx import AttributeProto, NodeProto, helper

from pruning.importers.onnx_nodes import attributes

DOMAINS = {"", "ai.onnx", "com.microsoft"}
"""Of ONNX itself, and of ONNX Runtime's own operators."""


class Form(NamedTuple):
    """An operator's inputs are quantised tensors, each a name with its step and its zero point.

    plain: the operator of real numbers. reads: where those that it reads begin. gives: where step and zero
    point of its output are. bias: where its bias is, whole numbers in steps of both steps, or None.
    """

    plain: str
    reads: tuple[int, ...]
    gives: int
    bias: int | None = None


OPERATORS = {
    "QLinearConv": Form("Conv", (0, 3), 6, 8),
    "QLinearMatMul": Form("MatMul", (0, 3), 6),
    "QGemm": Form("Gemm", (0, 3), 7, 6),
    "QLinearAdd": Form("Add", (0, 3), 6),
    "QLinearMul": Form("Mul", (0, 3), 6),
    "QLinearLeakyRelu": Form("LeakyRelu", (0,), 3),
    "QLinearSigmoid": Form("Sigmoid", (0,), 3),
    "QLinearSoftmax": Form("Softmax", (0,), 3),
    "QLinearAveragePool": Form("AveragePool", (0,), 3),
    "QLinearGlobalAveragePool": Form("GlobalAveragePool", (0,), 3),
    "QLinearReduceMean": Form("ReduceMean", (0,), 3),
    "QLinearConcat": Form("Concat", (), 0),
}
"""By their names. ``QLinearConcat`` reads any number of tensors, from its third input on."""

OWN = {"channels_last", "opset"}
"""Attributes that the operators of real numbers have not."""


def in_pairs_(model: onnx.ModelProto) -> None:
    """Write the operators of ``model`` that are in :data:`OPERATORS` otherwise, in place."""
    if any(node.op_type in OPERATORS for node in model.graph.node):
        nodes = [part for node in model.graph.node for part in _written(node)]
        del model.graph.node[:]
        model.graph.node.extend(nodes)


def _written(node: NodeProto) -> Sequence[NodeProto]:
    form, given = OPERATORS.get(node.op_type), attributes(node)
    if form is None or node.domain not in DOMAINS or given.get("channels_last", 0):
        return [node]
    reads = form.reads or range(2, len(node.input), 3)
    inputs = [*node.input, *[""] * 9]
    if not reads or not node.output or not all(inputs[at] and inputs[at + 1] for at in reads):
        return [node]
    pairs = [_real(node, inputs, at, given) for at in reads]
    names = [pair.output[0] for pair in pairs]
    biased = _bias(node, inputs, form, given) if form.bias is not None and inputs[form.bias] else []
    names += [part.output[0] for part in biased[-1:]]
    step, zero = inputs[form.gives : form.gives + 2]
    out = node.output[0]
    middle = f"{out}_real" if step else out  # QGemm gives real numbers where it has no step
    plain = helper.make_node(form.plain, names, [middle], name=node.name)
    plain.attribute.extend(a for a in node.attribute if a.name not in OWN)
    ends = [helper.make_node("QuantizeLinear", _known(middle, step, zero), [out], name=node.name)]
    return [*pairs, *biased, plain, *(ends if step else [])]


def _real(node: NodeProto, inputs: Sequence[str], at: int, given: dict[str, object]) -> NodeProto:
    """The real numbers of a quantised input: of weights their steps are those of outputs."""
    axis = 1
    if at == 3 and node.op_type == "QLinearConv":
        axis = 0
    elif at == 3 and node.op_type == "QGemm":
        axis = 0 if given.get("transB", 0) else 1
    name, step, zero = inputs[at : at + 3]
    output = f"{node.output[0]}_{at}"
    return helper.make_node(
        "DequantizeLinear", _known(name, step, zero), [output], name=node.name or output, axis=axis
    )


def _bias(node: NodeProto, inputs: Sequence[str], form: Form, given: dict[str, object]) -> list[NodeProto]:
    """A bias, in steps of those of what the operator reads, multiplied, times ``alpha``."""
    step, out = f"{node.output[0]}_bias_step", f"{node.output[0]}_bias"
    first, second = (inputs[at + 1] for at in form.reads)
    nodes, factor = [], float(given.get("alpha", 1.0))
    if factor != 1:
        alpha = helper.make_tensor("alpha", AttributeProto.FLOAT, [], [factor])
        nodes.append(helper.make_node("Constant", [], [f"{step}_alpha"], value=alpha))
        nodes.append(helper.make_node("Mul", [first, f"{step}_alpha"], [f"{step}_first"]))
        first = f"{step}_first"
    nodes.append(helper.make_node("Mul", [first, second], [step], name=node.name))
    bias = [inputs[form.bias or 0], step]
    return [*nodes, helper.make_node("DequantizeLinear", bias, [out], name=node.name, axis=0)]


def _known(*names: str) -> list[str]:
    """Without those that are left out at the end."""
    return list(names) if names[-1] else list(names[:-1])
