"""What nodes of a torch graph say: their operation, position, arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import fx


def is_call(node: fx.Node) -> bool:
    return isinstance(node.target, torch._ops.OpOverload)


def changes_its_input(node: fx.Node) -> bool:
    """``relu_`` and the like; not ``detach_``, which torch puts after constants."""
    return is_call(node) and node.target._schema.is_mutable and plain(node) != "detach"


def is_random(node: fx.Node) -> bool:
    return is_call(node) and torch.Tag.nondeterministic_seeded in node.target.tags


def plain(node: fx.Node) -> str:
    """The name of the operation, without the underscore of one that works in place."""
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target.name().partition("::")[2].partition(".")[0].rstrip("_")
    return getattr(node.target, "__name__", str(node.target)).rstrip("_")


def position_of(node: fx.Node) -> str:
    """The operation and the innermost module it stands in."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "the model")
    kind = getattr(kind, "__name__", str(kind)).rpartition(".")[2]
    return f"{plain(node)} in {path!r} ({kind})" if path else f"{plain(node)} in {kind}"


def arguments(node: fx.Node) -> dict[str, Any]:
    """Arguments by the names of the schema, with its defaults."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {}
    schema = node.target._schema.arguments
    given = {argument.name: argument.default_value for argument in schema}
    return given | dict(zip(given, node.args, strict=False)) | node.kwargs


def pair(values: int | Sequence[int]) -> tuple[int, ...]:
    """Rows and columns of what may be given as one number."""
    values = (values,) if isinstance(values, int) else tuple(values)
    return values if len(values) > 1 else values * 2


def padding_of(
    padding: str | Sequence[int], kernel: Sequence[int], dilation: Sequence[int]
) -> tuple[int, ...]:
    """Of rows and columns, or at the top, left, bottom and right."""
    if padding == "valid":
        return (0,)
    if padding == "same":
        totals = [(k - 1) * d for k, d in zip(kernel, dilation, strict=True)]
        return (*(total // 2 for total in totals), *(-(-total // 2) for total in totals))
    return pair(padding)
