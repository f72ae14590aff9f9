"""``pruning.from_onnx``: an ONNX file as a network.

Whatever depends on constants and shapes only (a transposed weight, the target of a reshape) is computed on
the way (:mod:`pruning.importers.onnx_constants`). Nodes whose outputs nobody reads are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import onnx
import onnx.inliner
import torch
from numpy.typing import NDArray

from hw.host_interface.stream_format import WHITE
from hw.util import names
from hw.util.documents import printable, said
from hw.util.errors import ConfigError, Spec2Error, UnsupportedNetwork
from pruning.importers import onnx_guard
from pruning.importers.assemble import Assembler
from pruning.importers.finish import Converted
from pruning.importers.image_scale import Numbers
from pruning.importers.onnx_constants import OF_SHAPES, Constants, used
from pruning.importers.onnx_layout import channels_last
from pruning.importers.onnx_nodes import image, position_of, sizes_of
from pruning.importers.onnx_operators import in_pairs_
from pruning.importers.onnx_quantised import Quantised
from pruning.importers.onnx_quantisers import is_quantiser, without_quantisers
from pruning.importers.refusals import unsupported
from pruning.importers.values import Value

MOST_SAID = 8000
"""Characters of an error, which says all that is in the way."""

BATCH = 2
"""Images in a batch whose size the file leaves open: more than one, so that reshapes that mix images show."""


def from_onnx(
    path: str | PathLike[str],
    input_shape: Sequence[int] | None = None,
    name: str | None = None,
    *,
    mean: Numbers | None = None,
    std: Numbers | None = None,
) -> Converted:
    """The network in an ONNX file, with its weights: what :func:`pruning.convert` gives for a module.

    ``input_shape`` (C, H, W) is needed where the file leaves it open; ``name`` is else that of the file.
    ``mean`` and ``std``: what the file takes is not images of 0 to 1, but (images - mean) / std. Files whose
    images have their channels last are taken; the network's come first. A file that takes bytes gets 0 to
    255, as it says. Layers are called after their weights or nodes. The ``NetworkModel`` is in training mode,
    as a new module is, and in float32. Raises ``UnsupportedNetwork`` as :func:`pruning.convert` does,
    ``ConfigError`` for a file that cannot be read.
    """
    path = Path(path)
    try:
        model = onnx.load(path)
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        in_pairs_(model)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror or error}") from None
    except Exception as error:  # protobuf's errors and ONNX's own have no common class
        raise ConfigError(f"{path} is no ONNX model: {said(error)}") from None
    constants = onnx_guard.constants(path, model.graph.initializer)
    try:
        with torch.no_grad():
            name = name or names.closest(path.stem, "network")
            return _Walk(model, constants, name, input_shape, mean, std).run()
    except Spec2Error as error:  # it names nodes as the file does
        raise type(error)(printable(str(error), MOST_SAID)) from None
    except Exception as error:  # of numpy, torch and ONNX, about sizes that do not fit
        raise onnx_guard.unsound(path, error) from None


class _Walk(Quantised):
    """Follows the nodes from image to output, and tells an assembler."""

    def __init__(
        self,
        model: onnx.ModelProto,
        values: dict[str, NDArray[Any]],
        name: str,
        input_shape: Sequence[int] | None,
        mean: Numbers | None,
        std: Numbers | None,
    ) -> None:
        graph = model.graph
        self.output = [value.name for value in graph.output]
        self.nodes = used(graph)
        constants = Constants(values, {o.domain: o.version for o in model.opset_import})
        read = Counter(name for node in self.nodes for name in node.input) + Counter(self.output)
        inputs = [i for i in graph.input if i.name not in constants.values]
        inputs = [i for i in inputs if i.name in read] or inputs
        if len(inputs) != 1 or len(self.output) != 1:
            raise UnsupportedNetwork(
                f"network {name!r} has {len(inputs)} inputs and {len(self.output)} outputs, and the "
                "hardware takes one map and gives one result: export the part between"
            )
        last = channels_last(self.nodes, inputs[0].name, sizes_of(inputs[0])[1:])
        batch, shape = image(inputs[0], name, input_shape, last)
        whole = inputs[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
        if whole and (mean is not None or std is not None):
            raise ConfigError(f"network {name!r} takes bytes, as they are: leave mean and std out")
        assembler = Assembler(name, shape, batch or BATCH)
        assembler.take_images(mean, 1 / WHITE if whole else std, channels_last=last)
        super().__init__(assembler, constants, inputs[0].name, read, open_batch=not batch, whole=whole)
        self.model = model
        self.lost: set[str] = set()
        """What stands behind a node that was refused, where it is no map, or none of a known shape."""

    def run(self) -> Converted:
        constants, blockers = self.constants.values, self.assembler.blockers
        self._note(next(iter(self.values)), self.assembler.images)
        for node in self.nodes:
            inputs = [n for n in node.input if n]
            maps = [n for n in inputs if n in self.values]
            if not self.lost.isdisjoint(inputs):
                self._refused(node)
                continue
            fixed = all(n in constants or (node.op_type in OF_SHAPES and n in self.shapes) for n in inputs)
            with blockers.noting():
                plain = node.domain in ("", "ai.onnx") or is_quantiser(node)
                if not plain or any(a.HasField("g") for a in node.attribute):
                    raise unsupported(position_of(node), node.op_type)
                if fixed:
                    self.constants.add(node, self.shapes)
                    continue
                for name, value in self.step(node, maps).items():
                    self._note(name, value)
                continue
            if fixed:
                self.lost.update(node.output)  # a constant, no map
            else:
                self._refused(node)
        if self.output[0] in self.values:
            return self._finish(self.values[self.output[0]])
        if self.output[0] in constants:
            raise UnsupportedNetwork(
                f"output {self.output[0]!r} is not that of the last layer, which is what the hardware gives: "
                "export it alone"
            )
        return self.assembler.finish(None)

    def _finish(self, value: Value) -> Converted:
        if self.output[0] in self.grids:
            value = replace(value, ends=(*value.ends, "rounding to whole numbers"))
        found = self.assembler.finish(value)
        return Converted(found.network, found.model, found.host, found.given, self.taken())

    def _note(self, name: str, value: Value) -> None:
        self.values[name] = replace(value, shared=True) if self.read[name] > 1 else value
        self.shapes[name] = (self.assembler.batch, *value.seen)

    def _refused(self, node: onnx.NodeProto) -> None:
        """Go on behind it as far as shapes are known."""
        for output in node.output:
            value = self.assembler.unknown((self.assembler.batch, *self._inferred.get(output, ())))
            if value is None:
                self.lost.add(output)
            else:
                self._note(output, value)

    @cached_property
    def _inferred(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the file's tensors, without the batch, as far as ONNX can tell; none of open sizes."""
        with suppress(Exception):  # what cannot be inferred is not known
            graph = onnx.shape_inference.infer_shapes(without_quantisers(self.model)).graph
            sizes = {
                info.name: tuple(dim.dim_value for dim in info.type.tensor_type.shape.dim)[1:]
                for info in graph.value_info
            }
            return {name: size for name, size in sizes.items() if all(n > 0 for n in size)}
        return {}
