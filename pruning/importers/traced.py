"""``pruning.convert``: a torch module as a network."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import torch
from torch import Tensor, fx, nn

from hw.util import names
from hw.util.errors import UnsupportedNetwork
from pruning.importers.assemble import Assembler, Converted
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.torch_constants import OF_SHAPES, SAME, VIEWS, Constants
from pruning.importers.torch_models import check_kind, other_axes
from pruning.importers.torch_nodes import arguments, changes_its_input, padding_of, pair, plain, position_of
from pruning.importers.torch_trace import Trace, images_for, trace

BATCH = 2
"""Images in the trace: more than one, so that a reshape that mixes images shows."""

CASTS = {"to", "type_as"}
"""Operations that may be given another tensor for its type alone."""

MOVES = VIEWS - {"to"} | {"cat", "flip", "movedim", "permute", "repeat", "roll", "swapaxes", "transpose"}
"""Operations that move values of the map, or leave them where they are."""


def convert(model: nn.Module, input_shape: Sequence[int], name: str | None = None) -> Converted:
    """``model`` as what the hardware runs, for images of ``input_shape`` (C, H, W).

    Takes any chain of: ``Conv2d`` (stride 1, one group, square kernels up to 7×7), batch norm directly after
    it (kept: the layer's name with ``_norm``) or after ``Linear`` (folded), ReLU, 2×2 max pooling,
    flattening, ``Linear``, and average pooling in front of it (becomes part of its weights), however they are
    written. Constant factors and offsets become part of weights and biases. Dropout, identities and casts
    between floats are left out. Layers have the names of their modules, with underscores for dots.

    Returns the network and its ``NetworkModel``, with copies of the weights, in the mode (training or not) of
    ``model``. In eval mode it computes what ``model`` does, to rounding. Raises ``UnsupportedNetwork``, which
    names the first operation that the hardware cannot run, its place and a way out, and ``ConfigError`` for
    an input shape that is none and for what is no module.
    """
    check_kind(model)
    if len(input_shape) != 3 and (error := other_axes(model)):
        raise error
    name = name or names.closest(type(model).__name__.lower(), "network")
    assembler = Assembler(name, input_shape, BATCH)
    traced = trace(model, images_for(model, BATCH, assembler.input))
    with torch.no_grad():
        converted = _Walk(traced, assembler).run()
    converted.model.train(model.training)
    return converted


class _Walk:
    """Follows the graph of a program from image to output, and tells an assembler."""

    def __init__(self, traced: Trace, assembler: Assembler) -> None:
        self.nodes, self.image, self.assembler = traced.nodes, traced.image, assembler
        self.constants = Constants(traced)
        self.maps = {traced.image}
        """Nodes whose values depend on those of the image."""

    def run(self) -> Converted:
        current, alias, output = self.image, {}, self.nodes[-1]
        for node in self.nodes[:-1]:
            given = node.all_input_nodes[:1] if plain(node) in CASTS else node.all_input_nodes
            inputs = [alias.get(n, n) for n in given if n in self.maps]
            if not inputs or plain(node) in OF_SHAPES:
                continue
            if inputs != [current]:
                raise self._refuse_branch(node)
            self._step(node)
            if changes_its_input(node):  # from here on its input is its output
                alias |= {n: node for n in (current, *(k for k, v in alias.items() if v is current))}
            current = node
            self.maps.add(node)
        results = [alias.get(n, n) for n in output.all_input_nodes]
        only_image = current is self.image and any(n.op == "call_function" for n in output.graph.nodes)
        if results != [current] or only_image:
            raise UnsupportedNetwork(
                "the model returns something else than the output of its last layer, which is what the "
                "hardware gives: return that alone"
            )
        return self.assembler.finish()

    def _refuse_branch(self, node: fx.Node) -> UnsupportedNetwork:
        operation = plain(node)
        if operation in ("add", "cat", "mul"):
            return unsupported(position_of(node), operation)
        return refuse(
            position_of(node),
            "it takes a map that another layer has taken before, and the hardware runs chains",
            "use a network without branches, like VGG16",
        )

    def _step(self, node: fx.Node) -> None:
        """One operation on the current map."""
        make, position, operation, given = self.assembler, position_of(node), plain(node), arguments(node)
        match operation:
            case "conv2d":
                kernel = given["weight"].meta["val"].shape[2:]
                make.convolution(
                    position,
                    *self._weights(node, given),
                    stride=pair(given["stride"]),
                    padding=padding_of(given["padding"], kernel),
                    dilation=pair(given["dilation"]),
                    groups=given["groups"],
                )
            case "linear":
                make.linear(position, *self._weights(node, given))
            case "matmul" | "mm":
                make.linear(position, *self._matrix(node, given))
            case "batch_norm":
                self._batch_norm(node, given)
            case "add" | "sub" | "rsub" | "mul" | "div" | "neg":
                self._arithmetic(node, given)
            case "relu":
                make.relu(position)
            case "clamp" | "clamp_min" | "clamp_max" | "hardtanh" | "maximum" | "minimum" | "max" | "min":
                make.clip(position, operation, *self._bounds(node, given))
            case "leaky_relu":
                make.leaky(position, operation, given["negative_slope"])
            case "prelu":
                slope = self.constants.value(node, given["weight"])
                make.leaky(position, operation, slope.view(-1, *[1] * (len(make.shape) - 1)))
            case "threshold" if given["threshold"] == given["value"] == 0:
                make.relu(position)
            case "max_pool2d":
                make.max_pool(
                    position,
                    kernel=pair(given["kernel_size"]),
                    stride=pair(given["stride"] or given["kernel_size"]),
                    padding=pair(given["padding"]),
                    dilation=pair(given["dilation"]),
                    ceil=given["ceil_mode"],
                )
            case "avg_pool2d" | "adaptive_avg_pool2d":
                make.average(position, lambda x: node.target(x, *node.args[1:], **node.kwargs))
            case "mean" | "sum" if make.pixels_of(len(make.shape) + 1, given.get("dim") or ()):
                make.global_average(position, node.meta["val"].shape, sums=operation == "sum")
            case "pad" | "constant_pad_nd":
                self._pad(node, given)
            case "dropout" | "feature_dropout" | "alpha_dropout" | "feature_alpha_dropout":
                if given["train"] and given["p"] > 0:
                    raise unsupported(position, operation)
            case _ if operation in CASTS:
                if not node.meta["val"].dtype.is_floating_point:
                    raise unsupported(position, operation)
            case _ if operation in MOVES and node.meta["val"].dtype.is_floating_point:
                order = make.indices()
                args = fx.map_arg(node.args, lambda n: order)
                make.move(
                    position, operation, order if operation in SAME else node.target(*args, **node.kwargs)
                )
            case other:
                raise unsupported(position, other)

    # --- operations ---------------------------------------------------------------------------------

    def _batch_norm(self, node: fx.Node, given: dict[str, Any]) -> None:
        names = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.constants.parameter(node, given[name]) for name in names)
        if given["training"] and mean is not None:
            raise refuse(
                position_of(node),
                "it takes the statistics of the batch although the model is in eval mode",
                "leave out training=True, and train() in the forward pass",
            )
        self.assembler.batch_norm(
            position_of(node),
            weight=weight,
            bias=bias,
            mean=mean,
            variance=variance,
            eps=given["eps"],
            momentum=given["momentum"] or None,  # None, a plain mean, arrives as 0
        )

    def _arithmetic(self, node: fx.Node, given: dict[str, Any]) -> None:
        """Of the map and a constant."""
        make, position, operation = self.assembler, position_of(node), plain(node)
        left, other, alpha = given["self"], given.get("other"), given.get("alpha", 1)
        if operation == "neg":
            make.affine(position, operation, factor=-1.0)
            return
        if left in self.maps and other in self.maps:  # of the map and itself
            raise unsupported(position, operation)
        if operation == "rsub":
            operation, left, other = "sub", other, left
        first = left in self.maps
        constant = self.constants.value(node, other if first else left)
        if operation in ("add", "sub"):
            sign = alpha if operation == "add" else -alpha
            factor, offset = (1.0, sign * constant) if first else (float(sign), constant)
            make.affine(position, operation, factor, offset)
        elif operation == "mul":
            make.affine(position, operation, factor=constant)
        elif first and given.get("rounding_mode") is None:
            make.affine(position, operation, factor=1 / constant)
        else:
            raise unsupported(position, operation)

    def _bounds(self, node: fx.Node, given: dict[str, Any]) -> tuple[Tensor | float, Tensor | float]:
        """(low, high) of an operation that keeps values between them."""
        operation = plain(node)
        if operation in ("maximum", "minimum", "max", "min"):
            left, other = given["self"], given.get("other")
            if other is None or (left in self.maps and other in self.maps):
                raise unsupported(position_of(node), operation)
            bound = self.constants.value(node, other if left in self.maps else left)
            return (bound, inf) if operation.startswith("max") else (-inf, bound)
        low, high = (given.get(f"{end}_val" if operation == "hardtanh" else end) for end in ("min", "max"))
        return (
            -inf if low is None else self.constants.value(node, low),
            inf if high is None else self.constants.value(node, high),
        )

    def _pad(self, node: fx.Node, given: dict[str, Any]) -> None:
        amounts, position, operation = list(given["pad"]), position_of(node), plain(node)
        left, right, top, bottom, *rest = (*amounts, *[0] * 4)
        if not any(amounts):
            return
        if any(rest) or given.get("mode", "constant") != "constant":
            raise unsupported(position, operation)
        self.assembler.pad(position, operation, (top, left, bottom, right), given["value"] or 0)

    def _weights(self, node: fx.Node, given: dict[str, Any]) -> tuple[str, Tensor, Tensor | None]:
        """(path, weight, bias) of a layer."""
        weight, bias = (self.constants.parameter(node, given[name]) for name in ("weight", "bias"))
        target = self.constants.targets[self.constants.source(given["weight"])]
        return target.removesuffix("weight").rstrip(".") or plain(node), weight, bias

    def _matrix(self, node: fx.Node, given: dict[str, Any]) -> tuple[str, Tensor, None]:
        """The same of a map times a parameter (features, out)."""
        other = given.get("other", given.get("mat2"))
        if given["self"] not in self.maps or other in self.maps or len(other.meta["val"].shape) != 2:
            raise unsupported(position_of(node), plain(node))
        weight = self.constants.parameter(node, other)
        return self.constants.targets[self.constants.source(other)], weight.T, None
