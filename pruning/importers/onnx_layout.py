"""Whether the input of an ONNX file has its channels first or last, and pixels that are whole numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx

from pruning.importers.onnx_nodes import FLOATS, attributes, position_of
from pruning.importers.refusals import refuse

LAST_TO_FIRST = [0, 3, 1, 2]
"""What a transposition of maps with their channels last does, so that they come first."""

EITHER_WAY = {"Add", "Cast", "Clip", "Div", "Dropout", "Identity", "Mul", "Pad", "Sub"}
"""Operations that do not care."""

FIRST = {"AveragePool", "BatchNormalization", "Conv", "GlobalAveragePool", "MaxPool", "SpaceToDepth"}
"""Operations of maps with their channels first."""

COLOURS = (1, 3)

WHOLE = {"Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"}
"""Operations that do not care either whether pixels are whole numbers."""


def channels_last(nodes: Iterable[onnx.NodeProto], name: str, sizes: Sequence[int]) -> bool:
    """Whether images, the input ``name`` of these ``sizes`` (without the batch, 0: open), are (rows, columns,
    channels): a transposition says so, or only the last size is a number of colours."""
    same, readers = {name}, []
    for node in nodes:
        if same.isdisjoint(node.input):
            continue
        if node.op_type in EITHER_WAY:
            same.update(node.output)
        else:
            readers.append(node)
    if any(n.op_type == "Transpose" and attributes(n).get("perm") == LAST_TO_FIRST for n in readers):
        return True
    if len(sizes) != 3 or any(node.op_type in FIRST for node in readers):
        return False
    return sizes[2] in COLOURS and sizes[0] not in (0, *COLOURS)


def stays_whole(node: onnx.NodeProto) -> bool:
    """Whether a node that reads pixels which are whole numbers gives such, and not floats.

    Raises ``UnsupportedNetwork`` for arithmetic, which rounds and wraps there.
    """
    if node.op_type == "Cast" and attributes(node).get("to") in FLOATS:
        return False
    if node.op_type not in WHOLE:
        raise refuse(
            position_of(node),
            "it computes with pixels as whole numbers, which round and wrap",
            "cast them to floats in front of it",
        )
    return True
