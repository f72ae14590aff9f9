"""The light models of the onnx package, which other tools wrote: weights are one number in any shape.

Here with random weights, for images of any size, and computed by torch, node by node.
"""

from pathlib import Path

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import helper, numpy_helper

FOLDER = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def path_of(name):
    return FOLDER / f"light_{name}.onnx"


def randomised(name, size, sizes=(), window=None, seed=1):
    """The model for images of ``size``, with random weights, without softmax.

    sizes: numbers of the file's shapes that are others for it; window: of average pooling, if another.
    """
    model, others, rng = onnx.load(path_of(name)), dict(sizes), np.random.default_rng(seed)
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type == "ConstantOfShape":
            shape = [others.get(int(n), int(n)) for n in shapes.pop(node.input[0])]
            value = rng.uniform(0.5, 1.5, shape)
            if len(shape) > 1:
                value = rng.standard_normal(shape) * (2 / np.prod(shape[1:])) ** 0.5
            shapes[node.output[0]] = value.astype(np.float32)
        elif node.op_type == "Softmax":
            graph.output[0].CopyFrom(helper.make_tensor_value_info(node.input[0], 1, None))
        else:
            kept.append(node)
            for attribute in node.attribute:
                if window and node.op_type == "AveragePool" and attribute.name == "kernel_shape":
                    attribute.ints[:] = [window, window]
    images = [value for value in graph.input if len(value.type.tensor_type.shape.dim) == 4]
    for dim in images[0].type.tensor_type.shape.dim[2:]:
        dim.dim_value = size
    del graph.node[:], graph.input[:], graph.initializer[:]
    graph.node.extend(kept)
    graph.input.append(images[0])
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray([others.get(int(n), int(n)) for n in v]), k)
        if v.dtype == np.int64
        else numpy_helper.from_array(v, k)
        for k, v in shapes.items()
    )
    return model


def computed(model, images):
    """What the model gives for ``images``, a batch of one."""
    graph = model.graph
    known = {t.name: torch.from_numpy(np.array(numpy_helper.to_array(t))) for t in graph.initializer}
    known[graph.input[0].name] = images
    for node in graph.node:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        inputs = [known[name] for name in node.input]
        known[node.output[0]] = _of(node.op_type, inputs, given)
    return known[graph.output[0].name]


def _of(operation, inputs, given):
    x, *others = inputs
    stride, kernel = given.get("strides", [1, 1]), given.get("kernel_shape")
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    sides = (left, right, top, bottom)
    match operation:
        case "Conv":
            return F.conv2d(F.pad(x, sides), *others, stride=stride, groups=given.get("group", 1))
        case "BatchNormalization":
            scale, shift, mean, variance = others
            return F.batch_norm(x, mean, variance, scale, shift, eps=given.get("epsilon", 1e-5))
        case "Relu":
            return x.relu()
        case "MaxPool":
            return F.max_pool2d(F.pad(x, sides, value=-torch.inf), kernel, stride)
        case "AveragePool":
            assert not any(sides)
            return F.avg_pool2d(x, kernel, stride)
        case "GlobalAveragePool":
            return x.mean((2, 3), keepdim=True)
        case "Gemm":
            assert given == {"transB": 1}
            return F.linear(x, *others)
        case "Concat":
            return torch.cat(inputs, given["axis"])
        case "Sum" | "Add":
            return sum(others, x)
        case "Mul":
            return x * others[0]
        case "Unsqueeze":
            for axis in sorted(given["axes"]):
                x = x.unsqueeze(axis)
            return x
        case "Reshape":
            return x.reshape(others[0].tolist())
        case "Dropout":
            return x
    raise AssertionError(operation)
