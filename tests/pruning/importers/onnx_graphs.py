"""ONNX files for tests: as torch writes them, and node by node."""

import warnings

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper


def export(model, path, *, batch=1, **options):
    """By torch's own exporter, the one that needs no other package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it is deprecated
        images = (torch.zeros(batch, *model.shape),)
        torch.onnx.export(model, images, path, dynamo=False, input_names=["image"], **options)
    return path


def array(*shape):
    return np.random.default_rng(sum(shape)).normal(size=shape).astype(np.float32)


def save(path, nodes, constants=(), shape=("n", 2, 9, 9), outputs=("y",), opset=18):
    """A graph from x to y. ``nodes``: (operation, inputs, output, attributes), inputs with gaps as a list."""
    made = [
        helper.make_node(operation, _names(inputs), output.split(), name=f"node{n}", **attributes)
        for n, (operation, inputs, output, attributes) in enumerate(nodes)
    ]
    graph = helper.make_graph(
        made,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in dict(constants).items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)]), path)
    return path


def _names(inputs):
    return inputs.split() if isinstance(inputs, str) else inputs


CONV = ("Conv", "x w", "c", {"kernel_shape": [3, 3]})
WEIGHTS = {"w": array(4, 2, 3, 3)}
