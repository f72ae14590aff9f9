"""``pruning.convert``: a torch module as a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn.functional import pad

from hw.util import names
from hw.util.errors import UnsupportedNetwork
from pruning.importers import operations
from pruning.importers.assemble import Assembler
from pruning.importers.finish import Converted
from pruning.importers.image_scale import Numbers
from pruning.importers.refusals import refuse, unsupported
from pruning.importers.torch_constants import SAME, Constants
from pruning.importers.torch_flow import Flow
from pruning.importers.torch_models import check_kind, other_axes
from pruning.importers.torch_nodes import arguments, padding_of, pair, plain, position_of
from pruning.importers.torch_trace import Trace, images_for, trace
from pruning.importers.values import Value

BATCH = 2
"""Images in the trace: more than one, so that a reshape that mixes images shows."""


def convert(
    model: nn.Module,
    input_shape: Sequence[int],
    name: str | None = None,
    *,
    mean: Numbers | None = None,
    std: Numbers | None = None,
) -> Converted:
    """``model`` as what the hardware runs, for images of ``input_shape`` (C, H, W).

    ``mean`` and ``std``, one number or one per channel: what the model takes is not images of 0 to 1, but
    (images - mean) / std, as ``transforms.Normalize`` makes them.

    Takes any graph of what docs/own_networks.md lists: convolutions, batch norms (kept: the layer's name with
    ``_norm``), ReLU, pooling, sums and joins of maps, fully connected layers, constant factors and offsets,
    whatever moves channels, however they are written. Dropout, identities and casts between floats are left
    out, softmax and the like at the end are left to the host. Layers have the names of their modules, with
    underscores for dots.

    Returns the network and its ``NetworkModel``, with copies of the weights, in the mode (training or not) of
    ``model``. In eval mode it computes what ``model`` does, to rounding. Raises ``UnsupportedNetwork``, which
    names every operation that the hardware cannot run, its place and a way out, and ``ConfigError`` for an
    input shape that is none and for what is no module.
    """
    check_kind(model)
    if len(input_shape) != 3 and (error := other_axes(model)):
        raise error
    name = name or names.closest(type(model).__name__.lower(), "network")
    assembler = Assembler(name, input_shape, BATCH)
    assembler.take_images(mean, std)
    traced = trace(model, images_for(model, BATCH, assembler.input))
    with torch.no_grad():
        converted = _Walk(traced, assembler).run()
    converted.model.train(model.training)
    return converted


class _Walk:
    """Follows the graph of a program from image to output, and tells an assembler."""

    def __init__(self, traced: Trace, assembler: Assembler) -> None:
        self.nodes, self.image, self.make = traced.nodes, traced.image, assembler
        self.constants = Constants(traced)
        self.flow = Flow(traced)
        self.values: dict[fx.Node, Value | list[Value] | None] = {traced.image: assembler.images}
        """What nodes that depend on the image give; None behind one that was refused, if it is no map."""

    def run(self) -> Converted:
        blockers = self.make.blockers
        self.values[self.image] = self._given(self.image, self.make.images)
        for node, inputs in self.flow.steps:
            value = None
            if all(self.values[n] is not None for n in inputs):
                with blockers.noting():
                    if stale := self.flow.stale(node):
                        raise refuse(
                            position_of(node),
                            f"another view of what it takes was changed in place ({stale})",
                            "use operations that are not in place",
                        )
                    value = self._step(node, inputs)
            if value is None:
                value = self.make.unknown(getattr(node.meta.get("val"), "shape", ()))
            self.values[node] = self._given(node, value)
        results = self.flow.results
        only_image = self.nodes[-1].all_input_nodes == [self.image] and len(self.flow.steps) == 0
        only_image = only_image and any(n.op == "call_function" for n in self.nodes[-1].graph.nodes)
        if len(results) != 1 or results[0] not in self.values or only_image:
            with blockers.noting():
                raise UnsupportedNetwork(
                    "the model returns something else than the output of its last layer, which is what the "
                    "hardware gives: return that alone"
                )
            return self.make.finish(None)
        return self.make.finish(self.values[results[0]])

    def _given(self, node: fx.Node, value: Any) -> Any:
        if isinstance(value, Value) and self.flow.readers[node] > 1:
            return replace(value, shared=True)
        return value

    def _step(self, node: fx.Node, inputs: list[fx.Node]) -> Value | list[Value]:
        """What an operation gives for maps; what may be the last one is left to the host."""
        try:
            return self._apply(node, inputs)
        except UnsupportedNetwork as error:
            values = [self.values[n] for n in inputs]
            if not operations.may_end(plain(node)) or not isinstance(values[0], Value) or len(values) > 1:
                raise
            return self.make.leave(values[0], position_of(node), error)

    def _apply(self, node: fx.Node, inputs: list[fx.Node]) -> Value | list[Value]:
        make, position, operation, given = self.make, position_of(node), plain(node), arguments(node)
        values = [self.values[n] for n in inputs]
        value = values[0]
        if operation == "getitem":  # of what is left to the host: whatever it is
            return value if isinstance(value, Value) else value[node.args[1]]
        kind = operations.of_torch(operation)
        if operations.may_follow(operation):
            followed = make.follow(values, position, moves=operations.reshapes(operation))
            if followed is not None:
                return [followed] * len(node.meta["val"]) if kind == "parts" else followed
        match kind:
            case "convolution" | "transposed convolution":
                layer = make.convolution
                if kind == "transposed convolution":
                    layer = partial(make.transposed_convolution, more=pair(given["output_padding"]))
                kernel = given["weight"].meta["val"].shape[2:]
                return layer(
                    value,
                    position,
                    *self._weights(node, given),
                    stride=pair(given["stride"]),
                    padding=padding_of(given["padding"], kernel, pair(given["dilation"])),
                    dilation=pair(given["dilation"]),
                    groups=given["groups"],
                )
            case "larger maps":
                return make.enlarge(value, position, operation, self._moving(node))
            case "fully connected":
                weights = self._weights if operation == "linear" else self._matrix
                return make.linear(value, position, *weights(node, given))
            case "batch norm":
                return self._batch_norm(value, node, given)
            case "arithmetic":
                return self._arithmetic(values, node, given)
            case "join":
                return self._joined(node, given)
            case "relu":
                return make.relu(value, position)
            case "clip" if len(values) > 1:
                return self._extreme(node, given)
            case "clip":
                return make.clip(value, position, operation, *self._bounds(node, given))
            case "leaky":
                return self._leaky(value, node, given)
            case "max pooling" if operation == "adaptive_max_pool2d":
                return [make.whole_max_pool(value, position, pair(given["output_size"]))]
            case "maximum of pixels" if make.over_pixels(
                value, len(value.shape) + 1, given.get("dim") or ()
            ) == (2, 3):
                return make.maximum(value, position, node.meta["val"].shape)
            case "max pooling":
                return make.max_pool(
                    value,
                    position,
                    kernel=pair(given["kernel_size"]),
                    stride=pair(given["stride"] or given["kernel_size"]),
                    padding=pair(given["padding"]),
                    dilation=pair(given["dilation"]),
                    ceil=given["ceil_mode"],
                )
            case "average pooling":
                return make.average(value, position, lambda x: node.target(x, *node.args[1:], **node.kwargs))
            case "mean" if over := make.over_pixels(value, len(value.shape) + 1, given.get("dim") or ()):
                return make.mean(value, position, over, node.meta["val"].shape, sums=operation == "sum")
            case "pad":
                return self._pad(value, node, given)
            case "dropout":
                if given["train"] and given["p"] > 0:
                    raise unsupported(position, operation)
                return value
            case "cast":
                if not node.meta["val"].dtype.is_floating_point:
                    raise unsupported(position, operation)
                return value
            case "parts":
                return self._parts(value, node)
            case "move" if node.meta["val"].dtype.is_floating_point:
                return make.move(value, position, operation, self._moving(node))
            case _:
                raise unsupported(position, operation)

    # --- operations ---------------------------------------------------------------------------------

    def _moving(self, node: fx.Node) -> Callable[[Tensor], Any]:
        """What the node does to tensors like its input."""
        if plain(node) in SAME:
            return lambda x: x
        constant = self.constants.tensor

        def function(x: Tensor) -> Any:
            return node.target(
                *fx.map_arg(node.args, lambda n: x if self._is_map(node, n) else constant(node, n)),
                **node.kwargs,
            )

        return function

    def _parts(self, value: Value, node: fx.Node) -> list[Value]:
        """Of an operation that gives several tensors."""
        moving, position = self._moving(node), position_of(node)
        count = len(node.meta["val"])
        shared = replace(value, shared=True)
        return [
            self.make.move(shared, position, plain(node), lambda x, n=n: moving(x)[n]) for n in range(count)
        ]

    def _joined(self, node: fx.Node, given: dict[str, Any]) -> Value:
        position, operation = position_of(node), plain(node)
        found: list[Value | None] = []
        tensors = list(given["tensors"])
        for tensor in tensors:
            owner = self.flow.owner(node, tensor)
            if owner in self.values:
                found.append(self.values[owner])
            elif bool((self.constants.value(node, tensor) == 0).all()):
                found.append(None)
            else:
                raise unsupported(position, operation)
        shapes = [tensor.meta["val"].shape for tensor in tensors]
        return self.make.joined(position, found, given.get("dim", 0), shapes)

    def _batch_norm(self, value: Value, node: fx.Node, given: dict[str, Any]) -> Value:
        names = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.constants.parameter(node, given[name]) for name in names)
        if given["training"] and mean is not None:
            raise refuse(
                position_of(node),
                "it takes the statistics of the batch although the model is in eval mode",
                "leave out training=True, and train() in the forward pass",
            )
        return self.make.batch_norm(
            value,
            position_of(node),
            weight=weight,
            bias=bias,
            mean=mean,
            variance=variance,
            eps=given["eps"],
            momentum=given["momentum"] or None,  # None, a plain mean, arrives as 0
        )

    def _arithmetic(self, values: list[Value], node: fx.Node, given: dict[str, Any]) -> Value:
        """Of maps and constants."""
        make, position, operation, value = self.make, position_of(node), plain(node), values[0]
        left, other, alpha = given["self"], given.get("other"), given.get("alpha", 1)
        if operation == "neg":
            return make.affine(value, position, operation, factor=-1.0)
        if operation == "rsub":
            operation, left, other = "sub", other, left
        if self._is_map(node, left) and self._is_map(node, other):
            if operation not in ("add", "sub"):
                raise unsupported(position, f"{operation} of maps")
            first, second = (self.values[self.flow.owner(node, n)] for n in (left, other))
            sign = alpha if operation == "add" else -alpha
            return make.add(position, first, make.affine(second, position, operation, factor=float(sign)))
        first = self._is_map(node, left)
        constant = self.constants.value(node, other if first else left)
        if operation in ("add", "sub"):
            sign = alpha if operation == "add" else -alpha
            factor, offset = (1.0, sign * constant) if first else (float(sign), constant)
            return make.affine(value, position, operation, factor, offset)
        if operation == "mul":
            return make.affine(value, position, operation, factor=constant)
        if first and given.get("rounding_mode") is None:
            return make.affine(value, position, operation, factor=1 / constant)
        raise unsupported(position, operation)

    def _is_map(self, node: fx.Node, of: Any) -> bool:
        return isinstance(of, fx.Node) and self.flow.owner(node, of) in self.values

    def _leaky(self, value: Value, node: fx.Node, given: dict[str, Any]) -> Value:
        """Of an activation that is a ReLU with some slope below zero."""
        position, operation = position_of(node), plain(node)
        if operation == "leaky_relu":
            return self.make.leaky(value, position, operation, given["negative_slope"])
        if operation == "prelu":
            slope = self.constants.value(node, given["weight"])
            return self.make.leaky(value, position, operation, slope.view(-1, *[1] * (len(value.shape) - 1)))
        if given["threshold"] == given["value"] == 0:
            return self.make.relu(value, position)
        raise unsupported(position, operation)

    def _extreme(self, node: fx.Node, given: dict[str, Any]) -> Value:
        """The larger or the smaller of two maps."""
        operation, both = plain(node), (given["self"], given.get("other"))
        if operation not in ("max", "maximum", "min", "minimum") or not all(
            self._is_map(node, n) for n in both
        ):
            raise unsupported(position_of(node), operation)
        first, second = (self.values[self.flow.owner(node, n)] for n in both)
        return self.make.extreme(position_of(node), first, second, least=operation.startswith("min"))

    def _bounds(self, node: fx.Node, given: dict[str, Any]) -> tuple[Tensor | float, Tensor | float]:
        """(low, high) of an operation that keeps values between them."""
        operation = plain(node)
        if operation in ("maximum", "minimum", "max", "min"):
            left, other = given["self"], given.get("other")
            if other is None:
                raise unsupported(position_of(node), operation)
            bound = self.constants.value(node, other if self._is_map(node, left) else left)
            return (bound, inf) if operation.startswith("max") else (-inf, bound)
        if operation == "relu6":
            return 0.0, 6.0
        low, high = (given.get(f"{end}_val" if operation == "hardtanh" else end) for end in ("min", "max"))
        return (
            -inf if low is None else self.constants.value(node, low),
            inf if high is None else self.constants.value(node, high),
        )

    def _pad(self, value: Value, node: fx.Node, given: dict[str, Any]) -> Value:
        amounts, position, operation = list(given["pad"]), position_of(node), plain(node)
        if value.last and min(amounts) >= 0 and not any(amounts[:2]):  # of channels first
            amounts = [*amounts, *[0] * 4][2:6]
        left, right, top, bottom, *rest = (*amounts, *[0] * 4)
        if not any(amounts):
            return value
        filled = given["value"] or 0
        if given.get("mode", "constant") != "constant" or (filled and (any(rest) or min(amounts) < 0)):
            raise unsupported(position, operation)
        if any(rest) or min(amounts) < 0:
            return self.make.move(value, position, operation, lambda x: pad(x, amounts, value=-1))
        return self.make.pad(value, position, operation, (top, left, bottom, right), filled)

    def _weights(self, node: fx.Node, given: dict[str, Any]) -> tuple[str, Tensor, Tensor | None]:
        """(path, weight, bias) of a layer."""
        weight, bias = (self.constants.parameter(node, given[name]) for name in ("weight", "bias"))
        target = self.constants.targets[self.constants.source(given["weight"])]
        return target.removesuffix("weight").rstrip(".") or plain(node), weight, bias

    def _matrix(self, node: fx.Node, given: dict[str, Any]) -> tuple[str, Tensor, None]:
        """The same of a map times a parameter (features, out)."""
        other = given.get("other", given.get("mat2"))
        if self._is_map(node, given["self"]) and self._is_map(node, other):
            raise unsupported(position_of(node), f"{plain(node)} of maps")
        if not self._is_map(node, given["self"]) or len(other.meta["val"].shape) != 2:
            raise unsupported(position_of(node), plain(node))
        weight = self.constants.parameter(node, other)
        return self.constants.targets[self.constants.source(other)], weight.T, None
