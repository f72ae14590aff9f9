"""The graph of a torch module.

It comes from torch.export, not from torch.fx alone: its operations have one spelling each (``nn.ReLU``,
``F.relu`` and ``x.relu()`` are the same), all shapes are known numbers, so that ``x.view(x.size(0), -1)`` and
an ``if`` on a shape trace, and every operation says in which module it stands. The first trace takes some
seconds.
"""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from hw.util.documents import said
from hw.util.errors import UnsupportedNetwork
from pruning.importers.torch_models import other_axes
from pruning.importers.torch_nodes import changes_its_input
from pruning.quant.calibration import evaluating

REGIONS = {"wrap_with_set_grad_enabled": 1, "wrap_with_autocast": 4}
"""Higher-order operations that stand for ``with torch.no_grad():`` and ``with torch.autocast(...):``, and how
many arguments come before the graph of what they hold. Neither changes what is computed but for rounding."""


class Trace(NamedTuple):
    """nodes: what the result depends on, in order; the last one is the output. image: the node of the input.

    targets: what a parameter or buffer is called in the model, by its node; tensors: what it holds.
    """

    nodes: list[fx.Node]
    image: fx.Node
    targets: dict[fx.Node, str]
    tensors: dict[fx.Node, Tensor]


def trace(model: nn.Module, images: Tensor) -> Trace:
    """``model`` in eval mode. Raises ``UnsupportedNetwork`` for one that cannot be traced."""
    program = _export(model, images)
    graph = fx.Graph()
    found = _inline(program.graph_module, graph, {})
    graph.output(found.pop(None))
    held = {**program.state_dict, **program.constants}
    names = {node.name: copy for node, copy in found.items() if isinstance(copy, fx.Node)}
    specs = program.graph_signature.input_specs
    targets = {names[s.arg.name]: s.target for s in specs if s.target in held}
    (image,) = program.graph_signature.user_inputs
    tensors = {node: held[target] for node, target in targets.items()}
    return Trace(_used(graph), names[image], targets, tensors)


def _export(model: nn.Module, images: Tensor) -> torch.export.ExportedProgram:
    with evaluating(model), _silent():
        try:
            return torch.export.export(model, (images,))
        except Exception as error:  # torch has no common class for what it cannot trace
            cause = error
        try:
            with torch.no_grad():
                model(images)
        except Exception as error:
            size = "×".join(map(str, images.shape[1:]))
            raise other_axes(model) or UnsupportedNetwork(
                f"the model does not take images of {size}: {said(error)}"
            ) from error
    raise UnsupportedNetwork(
        f"the model cannot be traced ({said(cause)}): what its forward pass does must not depend on "
        "the values of the image; build it of plain layers"
    ) from cause


def _inline(module: fx.GraphModule, into: fx.Graph, given: Mapping[str, Any]) -> dict[Any, Any]:
    """Copy a graph and those of its regions; returns what became of each node, and of the result (None).

    ``given``: what its placeholders are, by name; those that are not there are copied.
    """
    found: dict[Any, Any] = {}
    for node in module.graph.nodes:
        name = getattr(node.target, "_name", None) or str(node.target)
        if node.op == "output":
            found[None] = fx.map_arg(node.args[0], found.get)
        elif node.op == "placeholder" and node.name in given:
            found[node] = given[node.name]
        elif node.op == "call_function" and name in REGIONS:
            held, *rest = node.args[REGIONS[name] :]
            inner = module.get_submodule(held.target)
            ends = [node.name for node in inner.graph.nodes if node.op == "placeholder"]
            values = (found[value] if isinstance(value, fx.Node) else value for value in rest)
            found[node] = _inline(inner, into, dict(zip(ends, values, strict=True)))[None]
        elif node.target is operator.getitem and isinstance(found.get(node.args[0]), tuple | list):
            found[node] = found[node.args[0]][node.args[1]]
        elif node.op != "get_attr":
            found[node] = into.node_copy(node, found.__getitem__)
    return found


def _used(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that the output depends on, and all that change what they are given."""
    needed, found = set(), []
    for node in reversed(graph.nodes):
        if node in needed or node.op == "output" or changes_its_input(node):
            needed.update(node.all_input_nodes)
            found.append(node)
    return found[::-1]


def images_for(model: nn.Module, batch: int, shape: Sequence[int]) -> Tensor:
    """Black ones, of the type and where the parameters are."""
    some = next((p for p in model.parameters()), torch.zeros(()))
    return torch.zeros(batch, *shape, dtype=some.dtype, device=some.device)


@contextmanager
def _silent() -> Iterator[None]:
    """Where a trace fails, torch logs and prints the graph; the reason is in the error. Its warnings are on
    speed: where warnings are errors, as in many test suites, they would end the trace."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()), warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logging.disable(before)
