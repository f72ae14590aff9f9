"""What a torch graph computes without the image: weights, and constants that meet the map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx

from pruning.importers.refusals import refuse, unsupported
from pruning.importers.torch_nodes import changes_its_input, is_call, is_random, plain, position_of
from pruning.importers.torch_trace import Trace

SAME = {"alias", "clone", "contiguous", "detach", "lift_fresh_copy", "to"}
"""Operations whose result is what they are given."""

VIEWS = SAME | {"expand", "flatten", "reshape", "select", "slice", "squeeze", "unsqueeze", "view"}
"""Operations that a parameter may go through and stay one."""

OF_SHAPES = {"full_like", "new_full", "new_ones", "new_zeros", "ones_like", "zeros_like"}
"""Operations that take no more of a map than its shape."""

UNKNOWN = {"empty", "empty_like", "empty_strided", "new_empty"}
"""Operations whose values are whatever lay in memory."""


class Constants:
    """Parameters, buffers, and whatever is computed of them and of nothing."""

    def __init__(self, traced: Trace) -> None:
        self.tensors, self.targets = traced.tensors, traced.targets
        self.used: set[fx.Node] = set()
        """Parameters and buffers that somebody has."""
        self.changed: set[fx.Node] = set()
        """Nodes whose values the forward pass changes in place."""
        of_image = {traced.image}
        for node in traced.nodes:
            if not of_image.isdisjoint(node.all_input_nodes) and plain(node) not in OF_SHAPES:
                of_image.add(node)
            first = node.args[0] if node.args else None
            if changes_its_input(node) and isinstance(first, fx.Node) and first not in of_image:
                self.changed |= _sources(first)

    def parameter(self, node: fx.Node, of: fx.Node | None) -> Tensor | None:
        """A parameter or buffer of the model that nobody had yet, as ``node`` takes it."""
        if of is None:
            return None
        source = self.source(of)
        if source not in self.tensors or self.changed & _sources(of):
            raise refuse(
                position_of(node),
                "its weights are computed in the forward pass",
                "make them parameters: nn.Conv2d, nn.Linear; of weight_norm and the like, "
                "remove_parametrizations",
            )
        self._take(node, source)
        return self.tensors[source]

    def source(self, of: fx.Node) -> fx.Node:
        """Where a value comes from that went through operations that leave it as it is."""
        while plain(of) in SAME and of.all_input_nodes and not _narrows(of):
            of = of.all_input_nodes[0]
        return of

    def value(self, node: fx.Node, of: Any) -> Tensor:
        """A number or constant that meets the map in ``node``, in double precision.

        A parameter that is only seen otherwise is one; what is computed of parameters would no longer follow
        them when they are trained.
        """
        if not isinstance(of, fx.Node):
            return torch.as_tensor(of, dtype=torch.double)
        sources = _sources(of)
        for source in sources:
            if is_random(source):
                raise unsupported(position_of(source), plain(source))
        learned = [source for source in sources if isinstance(self.tensors.get(source), torch.nn.Parameter)]
        seen = all(
            plain(source) in VIEWS and not _narrows(source)
            for source in sources
            if source.op != "placeholder"
        )
        strange = any(
            source.op != "placeholder" and (not is_call(source) or plain(source) in UNKNOWN)
            for source in sources
        )
        if self.changed & sources or strange or (learned and not seen):
            raise unsupported(position_of(node), plain(node))
        for source in learned:
            self._take(node, source)
        return self._run(of).to(torch.double)

    def tensor(self, node: fx.Node, of: fx.Node) -> Tensor:
        """A constant that says what ``node`` moves, as it is."""
        self.value(node, of)
        return self._run(of)

    def _take(self, node: fx.Node, source: fx.Node) -> None:
        if source in self.used:
            raise refuse(
                position_of(node),
                "another layer has the same weights, and training would not keep them the same",
                "give it its own (copy.deepcopy)",
            )
        self.used.add(source)

    def _run(self, of: fx.Node) -> Tensor:
        if of in self.tensors:
            return self.tensors[of].detach()
        if plain(of) in OF_SHAPES:
            shape = of.all_input_nodes[0].meta["val"]
            like = torch.zeros(shape.shape, dtype=shape.dtype)
            return of.target(like, *of.args[1:], **of.kwargs)
        return of.target(*fx.map_arg(of.args, self._run), **fx.map_arg(of.kwargs, self._run))


def _narrows(node: fx.Node) -> bool:
    """Whether it casts to a type that does not have all the values of its input's."""
    given, made = node.all_input_nodes[0].meta["val"].dtype, node.meta["val"].dtype
    return torch.promote_types(given, made) != made


def _sources(of: fx.Node) -> set[fx.Node]:
    """A constant and all that it is computed of."""
    found, left = set(), [of]
    while left:
        source = left.pop()
        if source not in found:
            found.add(source)
            left += [] if plain(source) in OF_SHAPES else source.all_input_nodes
    return found
