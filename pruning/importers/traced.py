"""``pruning.convert``: a torch module as a network.

The graph comes from torch.export, not from torch.fx alone: its operations have one spelling each
(``nn.ReLU``, ``F.relu`` and ``x.relu()`` are the same), all shapes are known numbers, so that
``x.view(x.size(0), -1)`` and an ``if`` on a shape trace, and every operation says in which module it stands.
The first trace takes some seconds.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn

from hw import names
from hw.errors import UnsupportedNetwork
from pruning.importers.assemble import Assembler, Converted
from pruning.importers.refusals import refuse, unsupported
from pruning.linear import MaskedLinear
from pruning.spectral import SpectralConv2d

BATCH = 2
"""Images in the trace: more than one, so that a reshape that mixes images shows."""


def convert(model: nn.Module, input_shape: Sequence[int], name: str | None = None) -> Converted:
    """``model`` as what the hardware runs, for images of ``input_shape`` (C, H, W).

    Takes any chain of: ``Conv2d`` (stride 1, one group, square kernels up to 7×7), batch norm directly behind
    it (kept: the layer's name with ``_norm``) or behind ``Linear`` (folded), ReLU, 2×2 max pooling,
    flattening, ``Linear``, and average pooling in front of it (becomes part of its weights), however they are
    written. Dropout and identities are left out. Layers have the names of their modules, with underscores for
    dots.

    Returns the network and its ``Chain``, with copies of the weights, in the mode (training or not) of
    ``model``. In eval mode it computes what ``model`` does, to rounding. Raises ``UnsupportedNetwork``, which
    names the first operation that the hardware cannot run, its place and a way out, and ``ConfigError`` for
    an input shape that is none.
    """
    assembler = Assembler(name or names.closest(type(model).__name__.lower(), "network"), input_shape)
    program = _trace(model, assembler.input)
    with torch.no_grad():
        converted = _Walk(program, assembler).run()
    converted.model.train(model.training)
    return converted


class _Walk:
    """Follows the graph of a program from image to output, and tells an assembler."""

    def __init__(self, program: torch.export.ExportedProgram, assembler: Assembler) -> None:
        self.graph, self.assembler = program.graph, assembler
        (self.image,) = program.graph_signature.user_inputs
        held = {**program.state_dict, **program.constants}
        specs = program.graph_signature.input_specs
        self.targets: dict[str, str] = {s.arg.name: s.target for s in specs if s.target in held}
        """What a parameter or buffer is called in the model, by the name of its node."""
        self.tensors = {node: held[target] for node, target in self.targets.items()}
        self.used: set[str] = set()

    def run(self) -> Converted:
        nodes = list(self.graph.nodes)
        current = next(n for n in nodes if n.name == self.image)
        seen, alias = {current}, {}
        for node in nodes:
            inputs = [alias.get(n, n) for n in node.all_input_nodes if n in seen]
            if node.op == "output" or not inputs:  # nothing, or a constant
                continue
            if inputs != [current]:
                raise self._refuse_branch(node)
            self._step(node)
            if _operation(node) != _plain(node):  # in place: from here on its input is its output
                alias |= {n: node for n in (current, *(k for k, v in alias.items() if v is current))}
            current = node
            seen.add(node)
        results = [alias.get(n, n) for n in nodes[-1].all_input_nodes]
        if results != [current]:
            raise UnsupportedNetwork(
                "the model returns something else than the output of its last layer, which is what the "
                "hardware gives: return that alone"
            )
        return self.assembler.finish()

    def _refuse_branch(self, node: fx.Node) -> UnsupportedNetwork:
        operation = _plain(node)
        if operation in ("add", "cat", "mul"):
            return unsupported(_place(node), operation)
        return refuse(
            _place(node),
            "it takes a map that another layer has taken before, and the hardware runs chains",
            "use a network without branches, like VGG16",
        )

    def _step(self, node: fx.Node) -> None:
        """One operation on the current map."""
        make, place, given = self.assembler, _place(node), _arguments(node)
        match _plain(node):
            case "conv2d":
                kernel = given["weight"].meta["val"].shape[2:]
                make.convolution(
                    place,
                    *self._weights(node, given),
                    stride=_pair(given["stride"]),
                    padding=_padding(given["padding"], kernel),
                    dilation=_pair(given["dilation"]),
                    groups=given["groups"],
                )
            case "linear":
                make.linear(place, *self._weights(node, given))
            case "batch_norm":
                make.batch_norm(
                    place,
                    weight=self._tensor(node, given["weight"]),
                    bias=self._tensor(node, given["bias"]),
                    mean=self._tensor(node, given["running_mean"]),
                    variance=self._tensor(node, given["running_var"]),
                    eps=given["eps"],
                    momentum=given["momentum"] or None,  # None, a plain mean, arrives as 0
                )
            case "relu":
                make.relu(place)
            case "max_pool2d":
                make.max_pool(
                    place,
                    kernel=_pair(given["kernel_size"]),
                    stride=_pair(given["stride"] or given["kernel_size"]),
                    padding=_pair(given["padding"]),
                    dilation=_pair(given["dilation"]),
                    ceil=given["ceil_mode"],
                )
            case "avg_pool2d" | "adaptive_avg_pool2d":
                make.average(place, lambda x: node.target(x, *node.args[1:], **node.kwargs))
            case "mean" if _over_pixels(node, given):
                make.average(place, lambda x: x.mean((2, 3), keepdim=True))
                make.reshape(place, node.meta["val"].shape, BATCH)
            case "flatten" | "view" | "reshape" | "squeeze" | "unsqueeze":
                make.reshape(place, node.meta["val"].shape, BATCH)
            case "dropout" | "feature_dropout" | "alpha_dropout" | "contiguous" | "clone" | "detach":
                pass
            case other:
                raise unsupported(place, other)

    def _weights(self, node: fx.Node, given: dict[str, Any]) -> tuple[str, Tensor, Tensor | None]:
        """(path, weight, bias) of a layer."""
        weight, bias = self._tensor(node, given["weight"]), self._tensor(node, given["bias"])
        target = self.targets[given["weight"].name]
        return target.removesuffix("weight").rstrip(".") or _plain(node), weight, bias

    def _tensor(self, node: fx.Node, of: fx.Node | None) -> Tensor | None:
        """A parameter or buffer of the model that nobody had yet."""
        if of is None:
            return None
        if of.name not in self.tensors:
            raise refuse(
                _place(node),
                "its weights are computed in the forward pass",
                "make them parameters (nn.Conv2d, nn.Linear)",
            )
        if of.name in self.used:
            raise refuse(
                _place(node),
                "another layer has the same weights, and training would not keep them the same",
                "give it its own (copy.deepcopy)",
            )
        self.used.add(of.name)
        return self.tensors[of.name]


# --- the trace ----------------------------------------------------------------------------------------


def _trace(model: nn.Module, shape: Sequence[int]) -> torch.export.ExportedProgram:
    """``model`` in eval mode as a graph."""
    some = next((p for p in model.parameters()), torch.zeros(()))
    images = torch.zeros(BATCH, *shape, dtype=some.dtype, device=some.device)
    for path, module in model.named_modules():
        if isinstance(module, SpectralConv2d | MaskedLinear):
            raise refuse(
                f"{path!r} ({type(module).__name__})",
                "it is in spectral form already",
                "convert the model first, and prune what comes out of it",
            )
    with _evaluating(model), _silent():
        try:
            return torch.export.export(model, (images,))
        except Exception as error:  # torch has no common class for what it cannot trace
            cause = error
        try:
            with torch.no_grad():
                model(images)
        except Exception as error:
            raise UnsupportedNetwork(
                f"the model does not take images of {'×'.join(map(str, shape))}: {_first_line(error)}"
            ) from error
    raise UnsupportedNetwork(
        f"the model cannot be traced ({_first_line(cause)}): what its forward pass does must not depend on "
        "the values of the image; build it of plain layers"
    ) from cause


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode, and back to every module's own."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _silent() -> Iterator[None]:
    """Where a trace fails, torch logs and prints the graph; the reason is in the error."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(before)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


# --- nodes --------------------------------------------------------------------------------------------


def _operation(node: fx.Node) -> str:
    """The name of the operation, with an underscore behind it if it works in place."""
    if isinstance(node.target, torch._ops.OpOverload):
        return node.target.name().partition("::")[2].partition(".")[0]
    return getattr(node.target, "__name__", str(node.target))


def _plain(node: fx.Node) -> str:
    return _operation(node).rstrip("_")


def _place(node: fx.Node) -> str:
    """The operation and the innermost module it stands in."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", "the model")
    kind = getattr(kind, "__name__", str(kind)).rpartition(".")[2]
    return f"{_plain(node)} in {path!r} ({kind})" if path else f"{_plain(node)} in {kind}"


def _arguments(node: fx.Node) -> dict[str, Any]:
    """Arguments by the names of the schema, with its defaults."""
    if not isinstance(node.target, torch._ops.OpOverload):
        return {}
    schema = node.target._schema.arguments
    given = {argument.name: argument.default_value for argument in schema}
    return given | dict(zip(given, node.args, strict=False)) | node.kwargs


def _pair(values: int | Sequence[int]) -> tuple[int, ...]:
    """Rows and columns of what may be given as one number."""
    values = (values,) if isinstance(values, int) else tuple(values)
    return values if len(values) > 1 else values * 2


def _padding(padding: str | Sequence[int], kernel: Sequence[int]) -> tuple[int, ...]:
    """Of every side."""
    if padding == "valid":
        return (0,)
    if padding == "same":
        return tuple(n for k in kernel for n in ((k - 1) // 2, k // 2))
    return _pair(padding)


def _over_pixels(node: fx.Node, given: dict[str, Any]) -> bool:
    rank = len(given["self"].meta["val"].shape)
    return rank == 4 and {d % rank for d in given["dim"] or ()} == {2, 3}
