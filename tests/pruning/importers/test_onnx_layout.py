"""ONNX files whose images, or maps on the way, have their channels last, as converters from TensorFlow write
them: compared with torch, on maps with channels first."""

import numpy as np
import onnx
import pytest
import torch
import torch.nn.functional as F
from onnx import TensorProto

from hw.contract.network import Conv
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import from_onnx
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save

SHAPE = (3, 8, 10)
LAST = ("n", 8, 10, 3)
CONSTANTS = {
    "w": array(4, 3, 3, 3),
    "w2": array(4, 4, 3, 3),
    "w8": array(5, 8, 3, 3),
    "head": array(4 * 8 * 10, 6),
    "pixels": array(3 * 8 * 10, 6),
    "few": array(4, 6),
    "bias": array(4),
    "mean": np.array([0.4, 0.5, 0.3], np.float32),
    "std": np.array([0.2, 0.3, 0.25], np.float32),
    "white": np.float32(255),
    "flat": np.array([-1, 320]),
    "flat pixels": np.array([-1, 240]),
    "flat mean": np.array([-1, 4]),
    "blue first": np.array([2, 1, 0]),
    "around": np.array([0, 1, 1, 0, 0, 1, 1, 0]),
    "over": np.array([1, 2]),
    "zero": np.float32(0),
    "six": np.float32(0.6),
    "start": np.array([1]),
    "end": np.array([3]),
    "axis": np.array([3]),
    "w3": array(4, 2, 3, 3),
}
CONSTANTS = {name.replace(" ", "_"): value for name, value in CONSTANTS.items()}
C = {name: torch.tensor(value) for name, value in CONSTANTS.items()}
FIRST, LATER = {"perm": [0, 3, 1, 2]}, {"perm": [0, 2, 3, 1]}
PADDED = {"pads": [1, 1, 1, 1]}
IN = [("Transpose", "x", "t", FIRST), ("Conv", "t w", "c", PADDED), ("Relu", "c", "r", {})]
"""To ``r``, (4, 8, 10), with channels first."""


def stem(x):
    return F.conv2d(x, C["w"], padding=1).relu()


def last(x):
    return x.permute(0, 2, 3, 1)


def second(x):
    return F.conv2d(x, C["w2"], padding=1)


def normalised(x):
    return (x - C["mean"].view(3, 1, 1)) / C["std"].view(3, 1, 1)


BACK = [("Transpose", "z", "b", FIRST), ("Conv", "b w2", "y", PADDED)]
CASES = {
    "an image": ([*IN, ("Conv", "r w2", "y", PADDED)], lambda x: second(stem(x))),
    "a head": (
        [*IN, ("Transpose", "r", "l", LATER), ("Reshape", "l flat", "f", {}), ("MatMul", "f head", "y", {})],
        lambda x: last(stem(x)).flatten(1) @ C["head"],
    ),
    "a pair around a ReLU, a bias and a clip": (
        [
            *IN[:2],
            ("Transpose", "c", "l", LATER),
            ("Add", "l bias", "a", {}),
            ("Relu", "a", "e", {}),
            ("Clip", "e zero six", "z", {}),
            *BACK,
        ],
        lambda x: second((F.conv2d(x, C["w"], padding=1) + C["bias"].view(4, 1, 1)).clamp(0, 0.6)),
    ),
    "a sum": (
        [
            *IN,
            ("Conv", "r w2", "s", PADDED),
            ("Conv", "s w2", "q", PADDED),
            ("Transpose", "q", "l", LATER),
            ("Transpose", "r", "m", LATER),
            ("Add", "l m", "z", {}),
            *BACK,
        ],
        lambda x: second(second(second(stem(x))) + stem(x)),
    ),
    "a join": (
        [
            *IN,
            ("Conv", "r w2", "s", PADDED),
            ("Transpose", "s", "l", LATER),
            ("Transpose", "r", "m", LATER),
            ("Concat", "l m", "z", {"axis": -1}),
            ("Transpose", "z", "b", FIRST),
            ("Conv", "b w8", "y", PADDED),
        ],
        lambda x: F.conv2d(torch.cat([second(stem(x)), stem(x)], 1), C["w8"], padding=1),
    ),
    "padding": (
        [
            *IN,
            ("Transpose", "r", "l", LATER),
            ("Pad", "l around", "z", {}),
            ("Transpose", "z", "b", FIRST),
            ("Conv", "b w2", "y", {"strides": [2, 2]}),
        ],
        lambda x: F.conv2d(F.pad(stem(x), (1, 1, 1, 1)), C["w2"], stride=2),
    ),
    "a slice of channels": (
        [
            *IN,
            ("Transpose", "r", "l", LATER),
            ("Slice", "l start end axis", "z", {}),
            ("Transpose", "z", "b", FIRST),
            ("Conv", "b w3", "y", PADDED),
        ],
        lambda x: F.conv2d(stem(x)[:, 1:3], C["w3"], padding=1),
    ),
    "a mean": (
        [
            *IN,
            ("Transpose", "r", "l", LATER),
            ("ReduceMean", "l over", "m", {"keepdims": 0}),
            ("MatMul", "m few", "y", {}),
        ],
        lambda x: stem(x).mean((2, 3)) @ C["few"],
    ),
    "a mean that stays a map": (
        [
            *IN,
            ("Transpose", "r", "l", LATER),
            ("ReduceMean", "l over", "m", {"keepdims": 1}),
            ("Reshape", "m flat_mean", "f", {}),
            ("MatMul", "f few", "y", {}),
        ],
        lambda x: stem(x).mean((2, 3)) @ C["few"],
    ),
    "a mean and a deviation in front": (
        [
            ("Sub", "x mean", "s", {}),
            ("Div", "s std", "d", {}),
            ("Transpose", "d", "t", FIRST),
            ("Conv", "t w", "y", PADDED),
        ],
        lambda x: F.conv2d(normalised(x), C["w"], padding=1),
    ),
    "blue first, then a mean": (
        [
            ("Gather", "x blue_first", "g", {"axis": 3}),
            ("Sub", "g mean", "s", {}),
            ("Transpose", "s", "t", FIRST),
            ("Conv", "t w", "y", PADDED),
        ],
        lambda x: F.conv2d(x.flip(1) - C["mean"].view(3, 1, 1), C["w"], padding=1),
    ),
    "pixels flattened": (
        [("Sub", "x mean", "s", {}), ("Reshape", "s flat_pixels", "f", {}), ("MatMul", "f pixels", "y", {})],
        lambda x: last(x - C["mean"].view(3, 1, 1)).flatten(1) @ C["pixels"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_channels_that_come_last_are_followed(tmp_path, case):
    nodes, function = CASES[case]
    network, model = from_onnx(save(tmp_path / "net.onnx", nodes, CONSTANTS, LAST))
    images = torch.randint(0, 256, (3, *SHAPE)) / 255
    with torch.no_grad():
        assert_same(model.eval()(images), function(images))
    assert network.input == SHAPE
    copies = [layer.name for layer in network.layers if "copy" in layer.name]
    assert copies == [], "nothing is moved for the sake of an order"


def test_the_host_is_told_of_the_order_of_images_and_of_a_map_at_the_end(tmp_path):
    nodes = [*IN, ("Transpose", "r", "y", LATER)]
    converted = from_onnx(save(tmp_path / "net.onnx", nodes, CONSTANTS, LAST))
    assert converted.note == (
        "left to the host: the order of its input, which the hardware takes as 3×8×10 (channels, rows, "
        "columns), the order of rows, columns and channels (it gives channels first)"
    )
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        assert_same(converted.model.eval()(images), stem(images))


def test_open_sizes_are_given_with_channels_first(tmp_path):
    path = save(tmp_path / "net.onnx", IN, CONSTANTS, ("n", "h", "w", 3), outputs=("r",))
    assert from_onnx(path, SHAPE).network.input == SHAPE
    with pytest.raises(ConfigError, match=r"takes an input of .×.×.×3, not of .4, 8, 10."):
        from_onnx(path, (4, 8, 10))


@pytest.mark.parametrize("colours", [1, 3])
def test_images_that_are_flattened_have_their_colours_last(tmp_path, colours):
    """Nothing says so but their sizes."""
    weight = array(colours * 12 * 12, 4)
    nodes = [("Reshape", "x to", "f", {}), ("MatMul", "f w", "y", {})]
    constants = {"w": weight, "to": np.array([-1, len(weight)])}
    network, model = from_onnx(save(tmp_path / "n.onnx", nodes, constants, ("n", 12, 12, colours)))
    images = torch.rand(2, colours, 12, 12)
    assert network.input == (colours, 12, 12)
    with torch.no_grad():
        assert_same(model(images), last(images).flatten(1) @ torch.tensor(weight))
    first = from_onnx(save(tmp_path / "m.onnx", nodes, constants, ("n", colours, 12, 12)))
    assert first.network.input == (colours, 12, 12) and not first.note
    with torch.no_grad():
        assert_same(first.model(images), images.flatten(1) @ torch.tensor(weight))


def test_bytes_are_taken_as_they_are(tmp_path):
    nodes = [
        ("Transpose", "x", "t", FIRST),
        ("Cast", "t", "f", {"to": TensorProto.FLOAT}),
        ("Div", "f white", "d", {}),
        ("Conv", "d w", "y", PADDED),
    ]
    path = save(tmp_path / "net.onnx", nodes, CONSTANTS, LAST)
    file = onnx.load(path)
    file.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    onnx.save(file, path)
    network, model = from_onnx(path)
    assert network.layers == (Conv("Conv3", 3, 4, 3, 1, relu=False),) or len(network.layers) == 1
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        assert_same(model.eval()(images), F.conv2d(images, C["w"], padding=1))
    with pytest.raises(ConfigError, match="takes bytes, as they are: leave mean and std out"):
        from_onnx(path, mean=0.5)
    file.graph.node[1].op_type = "Relu"
    del file.graph.node[1].attribute[:]
    onnx.save(file, path)
    with pytest.raises(UnsupportedNetwork, match="pixels as whole numbers, which round and wrap; cast them"):
        from_onnx(path)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        (
            [("Transpose", "r", "l", LATER), ("MaxPool", "l", "y", {"kernel_shape": [2, 2]})],
            "8×10×4 map, with",
        ),
        (
            [("Transpose", "r", "l", {"perm": [0, 3, 2, 1]}), ("Conv", "l wt", "y", {})],
            "were moved .transposed",
        ),
        ([("Transpose", "r", "l", LATER), ("Add", "l wide", "y", {})], "a constant of 10×4 that is not one"),
    ],
)
def test_what_takes_rows_as_channels_is_refused(tmp_path, nodes, says):
    constants = CONSTANTS | {"wide": array(10, 4), "wt": array(4, 10, 3, 3)}
    with pytest.raises(UnsupportedNetwork, match=says):
        from_onnx(save(tmp_path / "net.onnx", [*IN, *nodes], constants, LAST))


def test_a_sum_of_one_map_with_its_channels_first_and_one_last_is_refused(tmp_path):
    """Of as many channels as rows and columns, so that shapes agree."""
    nodes = [("Conv", "x w", "c", PADDED), ("Transpose", "c", "l", LATER), ("Add", "c l", "y", {})]
    with pytest.raises(UnsupportedNetwork, match="repeats one of them or turns it"):
        from_onnx(save(tmp_path / "n.onnx", nodes, {"w": array(4, 3, 3, 3)}, (1, 3, 4, 4)))
