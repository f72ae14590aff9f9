"""Who reads what in a torch graph, with operations in place."""

from __future__ import annotations

from collections import Counter

from torch import fx

from pruning.importers.torch_constants import OF_SHAPES, VIEWS
from pruning.importers.torch_nodes import changes_its_input, plain, position_of
from pruning.importers.torch_trace import Trace

CASTS = {"to", "type_as"}
"""Operations that may be given another tensor for its type alone."""

PARTS = {"chunk", "split", "split_with_sizes", "tensor_split", "unbind"}
"""Operations that give several views."""

MAY_VIEW = VIEWS | PARTS | {"getitem", "movedim", "permute", "swapaxes", "transpose", "narrow", "dropout"}
MAY_VIEW |= {"unflatten"}
MAY_VIEW -= {"clone"}
"""Operations whose result may be the memory of what they are given."""


class Flow:
    """The operations on what depends on the image.

    Members: ``steps``, nodes in order with the nodes whose maps they read; ``readers``, how often every map
    is read; ``results``, the nodes that the model returns, as far as they are maps.
    """

    def __init__(self, traced: Trace) -> None:
        self.steps: list[tuple[fx.Node, list[fx.Node]]] = []
        self.readers: Counter[fx.Node] = Counter()
        self._alias: dict[fx.Node, fx.Node] = {}
        self._owners: dict[fx.Node, dict[fx.Node, fx.Node]] = {}
        self._memory = {traced.image: traced.image}
        """Of every map: the first one that may lie in the same memory."""
        self._changed: dict[fx.Node, str] = {}
        """Maps whose memory another view changes later, and where."""
        self._stale: dict[fx.Node, str] = {}
        for node in traced.nodes[:-1]:
            self._follow(node)
        self.results = [self._alias.get(n, n) for n in traced.nodes[-1].all_input_nodes]
        self.readers.update(self.results)

    def owner(self, node: fx.Node, given: fx.Node) -> fx.Node:
        """The node whose result ``given`` is when ``node`` reads it."""
        return self._owners[node].get(given, given)

    def stale(self, node: fx.Node) -> str | None:
        """What changed in place, by another name, something that ``node`` reads."""
        return self._stale.get(node)

    def _follow(self, node: fx.Node) -> None:
        given = node.all_input_nodes[:1] if plain(node) in CASTS else _given(node)
        owners = {n: self._alias.get(n, n) for n in given}
        inputs = [owners[n] for n in given if owners[n] in self._memory]
        self._owners[node] = owners
        if not inputs or plain(node) in OF_SHAPES:
            return
        self.steps.append((node, inputs))
        self.readers.update(inputs)
        if found := [self._changed[n] for n in inputs if n in self._changed]:
            self._stale[node] = found[0]
        own = inputs[0]
        if changes_its_input(node):  # from here on its input is its output
            aliases = {own, *(n for n, other in self._alias.items() if other is own)}
            views = {n for n, first in self._memory.items() if first is self._memory[own]} - aliases
            self._changed |= dict.fromkeys(views, position_of(node))
            self._alias |= dict.fromkeys(aliases, node)
        views = changes_its_input(node) or plain(node) in MAY_VIEW
        self._memory[node] = self._memory[own] if views else node


def _given(node: fx.Node) -> list[fx.Node]:
    """The nodes that it is given, as often as it is."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), found.append)
    return found
