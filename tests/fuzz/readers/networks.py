"""Networks of other frameworks."""

from contextlib import suppress
from pathlib import Path
from random import Random

import numpy as np

from tests.fuzz import mutate
from tests.fuzz.readers.row import Reader


def make_onnx(folder: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    rng = np.random.default_rng(1)
    shapes = {"w": (3, 1, 3, 3), "b": (3,), "v": (5, 27), "c": (5,)}
    constants = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    constants |= {"s": np.ones(3), "m": np.zeros(3), "f": np.full((3, 1, 1), 2)}
    constants |= {"qs": np.full((3, 1, 1, 1), 0.02), "qz": np.zeros(()), "qb": np.full((), 6.0)}
    nodes = [
        helper.make_node("Pad", ["x", "p"], ["0"], mode="constant"),
        helper.make_node(
            "Quant",
            ["w", "qs", "qz", "qb"],
            ["wq"],
            domain="qonnx.custom_op.general",
            signed=1,
            narrow=1,
            rounding_mode="ROUND",
        ),
        helper.make_node(
            "Conv", ["0", "wq", "b"], ["1"], pads=[0, 0, 0, 0], kernel_shape=[3, 3], strides=[1, 1]
        ),
        helper.make_node("BatchNormalization", ["1", "s", "m", "m", "s"], ["2"], epsilon=1e-5),
        helper.make_node("Neg", ["f"], ["g"]),
        helper.make_node("Mul", ["2", "g"], ["2a"]),
        helper.make_node("Relu", ["2a"], ["3"]),
        helper.make_node("QuantizeLinear", ["3", "vs"], ["3i"]),
        helper.make_node("QLinearConv", ["3i", "vs", "", "qw", "vs", "", "vs", "", "qi"], ["3k"], group=1),
        helper.make_node("DequantizeLinear", ["3k", "vs"], ["3q"]),
        helper.make_node("MaxPool", ["3q"], ["4"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("DequantizeLinear", ["vi", "vs"], ["v"], axis=0, block_size=0),
        helper.make_node("Flatten", ["4"], ["5"], axis=1),
        helper.make_node("Gemm", ["5", "v", "c"], ["y"], transB=1, alpha=1.0),
    ]
    tensors = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()]
    whole = tensors.pop([tensor.name for tensor in tensors].index("v"))
    whole = (numpy_helper.to_array(whole) * 40).astype(np.int8)
    tensors += [numpy_helper.from_array(whole, "vi"), numpy_helper.from_array(np.float32(0.05), "vs")]
    tensors.append(numpy_helper.from_array(rng.integers(-9, 9, (3, 3, 1, 1)).astype(np.int8), "qw"))
    tensors.append(numpy_helper.from_array(np.array([9, -9, 0], np.int32), "qi"))
    tensors.append(numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "p"))
    ends = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 1, 6, 6])]
    out = [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "net", ends, out, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)]), folder / "network.onnx")


OPERATIONS = """
    Relu Conv Gemm MatMul Add Mul MaxPool AveragePool GlobalAveragePool Reshape Flatten Expand ConstantOfShape
    Tile Range Pad Clip Transpose Concat Identity Dropout Shape Cast Squeeze Unsqueeze Loop Softmax
    RandomNormal QuantizeLinear DequantizeLinear Quant BipolarQuant Trunc Resize Sparkle Sub Div Neg Sum Max
    Min LeakyRelu PRelu Elu ReduceMean ReduceSum Slice Gather Size QLinearConv QLinearMatMul QGemm QLinearAdd
    QLinearConcat QLinearAveragePool ConvInteger
""".split()
NUMBERS = (0, 1, 2, 3, -1, -7, 7, 64, 1 << 20, 1 << 31, -(1 << 63), (1 << 63) - 1)


def change_onnx(content: bytes, rng: Random) -> bytes:
    """The graph with a node, an attribute, a tensor or a shape changed, or the file's bytes."""
    import onnx
    from onnx import helper, numpy_helper

    if rng.random() < 0.3:
        return mutate.octets(content, rng)
    found = onnx.load_from_string(content)
    graph = found.graph
    for _ in range(rng.choice((1, 1, 2))):
        node, tensor, how = rng.choice(graph.node), rng.choice(graph.initializer), rng.randrange(12)
        if how == 0:
            node.op_type = rng.choice(OPERATIONS)
        elif how == 1 and node.attribute:
            one = rng.choice(node.attribute)
            if one.ints:
                one.ints[rng.randrange(len(one.ints))] = rng.choice(NUMBERS)
            elif rng.random() < 0.5:
                one.i = rng.choice(NUMBERS)
            else:
                one.f = rng.choice((float("nan"), float("inf"), 0.0, -1.0, 1e30))
        elif how == 2 and node.attribute:
            del node.attribute[rng.randrange(len(node.attribute))]
        elif how == 3 and node.attribute:
            rng.choice(node.attribute).type = rng.randrange(12)
        elif how == 4:
            if tensor.dims:
                tensor.dims[rng.randrange(len(tensor.dims))] = rng.choice(NUMBERS)
        elif how == 5:
            tensor.data_type = rng.randrange(24)
        elif how == 6:
            dim = graph.input[0].type.tensor_type.shape.dim
            if dim:
                rng.choice(dim).dim_value = rng.choice(NUMBERS)
        elif how == 7 and node.input:
            names = [n for one in graph.node for n in (*one.input, *one.output)] + ["", "nothing"]
            node.input[rng.randrange(len(node.input))] = rng.choice(names)
        elif how == 8:
            value = rng.choice((float("nan"), float("inf"), 1e38, 0.0))
            array = np.ones(3, np.float32)
            with suppress(Exception):  # a tensor that an earlier change made unsound
                if tensor.data_type == 1 and tensor.raw_data:
                    array = numpy_helper.to_array(tensor).copy()
            array[...] = value
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        elif how == 9:
            numbers = np.array([rng.choice(NUMBERS) for _ in range(rng.randrange(1, 4))], np.int64)
            graph.initializer.append(numpy_helper.from_array(numbers, f"extra{len(graph.initializer)}"))
            kind = rng.choice(("ConstantOfShape", "Reshape", "Expand", "Tile", "Range", "Pad"))
            inputs = [graph.initializer[-1].name] * (
                1 if kind == "ConstantOfShape" else 3 if kind == "Range" else 2
            )
            graph.node.insert(0, helper.make_node(kind, inputs, [f"made{len(graph.node)}"]))
        elif how == 10:
            tensor.data_location = 1
            entry = tensor.external_data.add()
            entry.key, entry.value = (
                "location",
                rng.choice(("/etc/passwd", "../../x", "x", "network.onnx", "")),
            )
        else:
            node.name = node.output[0] = rng.choice(("a\nb", "\x1b[31m", "x" * 500, "../x", ""))
    return found.SerializeToString()


def read_onnx(folder: Path) -> None:
    from pruning.importers.onnx_file import from_onnx

    from_onnx(folder / "network.onnx")


READERS = [
    Reader("network.onnx", make_onnx, change_onnx, read_onnx, 0.5),
]
