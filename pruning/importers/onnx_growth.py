"""What ONNX's operations that make maps larger do with their pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import onnx
from torch import Tensor
from torch.nn.functional import pixel_shuffle

from pruning.importers.onnx_nodes import position_of
from pruning.importers.refusals import refuse, unsupported

AS_NEAREST = {
    ("asymmetric", "floor"),
    ("half_pixel", "round_prefer_ceil"),
    ("half_pixel", "round_prefer_floor"),
    ("pytorch_half_pixel", "round_prefer_floor"),
    ("half_pixel_symmetric", "round_prefer_floor"),
}
"""Ways to count pixels and to round which, for whole factors, take a pixel as often as it has place."""


def enlarging(
    node: onnx.NodeProto,
    given: dict[str, Any],
    scales: Sequence[float] | None,
    sizes: Sequence[float] | None,
    shape: Sequence[int],
) -> Callable[[Tensor], Tensor]:
    """The operation as a function, for maps of ``shape``, batch first. ``scales``, ``sizes``: what a
    ``Resize`` is given of the two."""
    if node.op_type == "DepthToSpace":
        side = int(given["blocksize"])
        if given.get("mode", b"DCR") == b"CRD":
            return lambda x: pixel_shuffle(x, side)
        return lambda x: pixel_shuffle(x.unflatten(1, (side * side, -1)).transpose(1, 2).flatten(1, 2), side)
    kind = given.get("mode", b"nearest").decode()
    rounding = tuple(
        given.get(name, usual).decode()
        for name, usual in (
            (
                "coordinate_transformation_mode",
                b"asymmetric" if node.op_type == "Upsample" else b"half_pixel",
            ),
            ("nearest_mode", b"floor" if node.op_type == "Upsample" else b"round_prefer_floor"),
        )
    )
    if sizes:
        scales = [size / own for size, own in zip(sizes, shape, strict=False)]
    by = int(scales[-1]) if scales else 0
    if kind != "nearest" or rounding not in AS_NEAREST or {"axes", "keep_aspect_ratio_policy"} & {*given}:
        raise unsupported(position_of(node), node.op_type)
    if list(scales or ()) != [1, 1, by, by] or by < 1:
        raise refuse(
            position_of(node),
            f"maps that grow by {'×'.join(f'{scale:.4g}' for scale in scales or ())}",
            "let rows and columns grow by the same whole number, or leave it to the host",
        )
    return lambda x: x.repeat_interleave(by, 2).repeat_interleave(by, 3)
