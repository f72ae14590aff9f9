"""What keeps an ONNX file of others in its bounds: tensors are what they say, constants have some size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from hw.util import documents
from hw.util.errors import ConfigError, Spec2Error

MOST = 1 << 22
"""Elements of what is computed from constants, or as many as the file's own have, if these are more. A few
bytes of a shape may ask for any number."""

MOST_WEIGHTS = 1 << 27
"""Elements of weights that are one number in any shape; the largest layer of well-known networks, the first
fully connected one of VGG, has 102,760,448."""

SMALL = 1024
"""Elements of a constant whose values a shape may follow from."""

MOST_BATCH = 1 << 16


def constants(path: Any, tensors: Iterable[onnx.TensorProto]) -> dict[str, NDArray[Any]]:
    """The arrays of ``tensors`` by name. Raises ``ConfigError``."""
    found = {}
    for tensor in tensors:
        try:
            found[tensor.name] = onnx.numpy_helper.to_array(tensor)
        except Exception as error:  # of numpy, protobuf and ONNX: sizes, types, files beside that are missing
            name, why = documents.shown(tensor.name), documents.said(error)
            raise ConfigError(f"{path} is no sound ONNX model: tensor {name}: {why}") from None
    return found


def check(
    node: onnx.NodeProto, known: Mapping[str, NDArray[Any]], opsets: Mapping[str, int], most: int
) -> None:
    """Raise ``ValueError`` where the outputs of ``node``, from ``known``, would be larger than ``most``."""
    count = max(math.prod(value.shape) for value in known.values()) if known else 0
    for name, shape in _shapes(node, known, opsets):
        count = max(count, math.prod(shape))
        if count > most:
            raise ValueError(f"{documents.shown(name)} has {count:,} elements, more than {most:,}")
    if count > most:
        raise ValueError(f"it takes {count:,} elements, more than {most:,}")


def _shapes(
    node: onnx.NodeProto, known: Mapping[str, NDArray[Any]], opsets: Mapping[str, int]
) -> list[tuple[str, list[int]]]:
    """Names and shapes of the outputs, of those whose shapes ONNX can infer."""
    helper = onnx.helper
    small, ends = [], []
    for name, value in known.items():
        kind = helper.np_dtype_to_tensor_dtype(value.dtype)
        ends.append(helper.make_tensor_value_info(name, kind, value.shape))
        if value.size <= SMALL:
            small.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
    outputs = [helper.make_empty_tensor_value_info(name) for name in node.output]
    graph = helper.make_graph([node], "one", ends, outputs, small)
    sets = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    inferred = None
    with suppress(Exception):  # what cannot be inferred cannot be computed either, and says why there
        inferred = onnx.shape_inference.infer_shapes(
            helper.make_model(graph, opset_imports=sets), data_prop=True
        )
    if inferred is None:
        return []
    return [
        (output.name, [dim.dim_value for dim in output.type.tensor_type.shape.dim])
        for output in inferred.graph.output
        if output.type.tensor_type.HasField("shape")
    ]


def unsound(path: Any, error: Exception) -> Spec2Error:
    """The sentence for whatever a damaged graph provokes."""
    return ConfigError(f"{path} is no sound ONNX model: {documents.said(error)}")
