"""ONNX files of any size: what they ask for is refused or followed, and memory is never what they say."""

from itertools import product

import numpy as np
import onnx
import pytest
import torch
from onnx import helper

from hw.contract.network import MOST
from hw.util.errors import ConfigError, Spec2Error, UnsupportedNetwork
from pruning import from_onnx
from pruning.importers import onnx_guard
from pruning.importers.maps import one_per_channel
from tests.pruning.importers.onnx_graphs import CONV, WEIGHTS, save

HUGE = 1 << 17
"""Rows and columns of maps that no memory holds."""


def constant(operation, *inputs, **attributes):
    return (operation, " ".join(inputs), "k", attributes)


REFUSED = {
    "batch": ((onnx_guard.MOST_BATCH + 1, 2, 9, 9), [CONV], {}, ConfigError, "batches of 65,537 images"),
    "rows": ((1, 2, MOST + 1, 9), [CONV], {}, ConfigError, "of 1 to 1,048,576 each"),
    "moved": (
        (onnx_guard.MOST_BATCH, 2, HUGE, HUGE),
        [("Flatten", "x", "c", {})],
        {},
        UnsupportedNetwork,
        "export the model with a batch of 1",
    ),
    "averaged": ((1, 2, HUGE, HUGE), [("GlobalAveragePool", "x", "c", {})], {}, UnsupportedNetwork, "131072"),
    "expanded": (
        (1, 2, 9, 9),
        [constant("Expand", "one", "size"), ("Add", "x k", "c", {})],
        {"one": np.ones(1, np.float32), "size": np.array([HUGE, HUGE])},
        UnsupportedNetwork,
        "elements, more than 4,194,304",
    ),
    "tiled": (
        (1, 2, 9, 9),
        [("Tile", "x size", "c", {})],
        {"size": np.array([1, 1, HUGE, HUGE])},
        UnsupportedNetwork,
        "elements, more than 4,194,304",
    ),
    "filled": (
        (1, 2, 9, 9),
        [constant("ConstantOfShape", "size"), ("Add", "x k", "c", {})],
        {"size": np.array([HUGE, HUGE])},
        UnsupportedNetwork,
        "it gives 17,179,869,184 elements, more than 134,217,728",
    ),
    "filled less": (
        (1, 2, 9, 9),
        [constant("ConstantOfShape", "size"), ("Add", "x k", "c", {})],
        {"size": np.array([1 << 13, 1 << 13])},
        UnsupportedNetwork,
        "'k', which meets a map, has 67,108,864 elements, more than 4,194,304",
    ),
    "filled and computed with": (
        (1, 2, 9, 9),
        [("ConstantOfShape", "size", "h", {}), constant("Neg", "h"), ("MatMul", "x k", "c", {})],
        {"size": np.array([1 << 13, 1 << 13])},
        UnsupportedNetwork,
        "elements, more than 4,194,304",
    ),
    "complex pads": (
        (1, 2, 9, 9),
        [("Pad", "x pads", "c", {})],
        {"pads": np.array([0, 0, 1, 1, 0, 0, 1, 1], np.complex64)},
        UnsupportedNetwork,
        "'pads' holds complex numbers",
    ),
    "complex weights": (
        (1, 2, 9, 9),
        [CONV],
        {"w": WEIGHTS["w"].astype(np.complex64)},
        UnsupportedNetwork,
        "'w' holds complex numbers",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_too_large_or_of_no_numbers_is_refused(case, tmp_path):
    shape, nodes, constants, error, says = REFUSED[case]
    nodes = [*nodes, ("Relu", "c", "y", {})]
    path = save(tmp_path / "net.onnx", nodes, WEIGHTS | constants, shape)
    with pytest.raises(error, match=says) as caught:
        from_onnx(path)
    assert type(caught.value) is error and "\n" not in str(caught.value)


def test_maps_of_any_size_are_followed(tmp_path):
    """Their shapes, factors and offsets need no map."""
    nodes = [
        ("Shape", "x", "s", {}),
        ("Size", "x", "n", {}),
        CONV,
        ("Mul", "c f", "d", {}),
        ("Add", "d b", "e", {}),
        ("Relu", "e", "y", {}),
    ]
    factors = np.arange(1, 5, dtype=np.float32).reshape(4, 1, 1)
    constants = WEIGHTS | {"f": factors, "b": np.ones((1, 4, 1, 1), np.float32)}
    path = save(tmp_path / "net.onnx", nodes, constants, (onnx_guard.MOST_BATCH, 2, HUGE, HUGE))
    network, chain = from_onnx(path)
    (layer,) = network.layers
    module = chain.get_submodule(layer.name)
    assert network.input == (2, HUGE, HUGE)
    assert torch.equal(module.weight, torch.from_numpy(WEIGHTS["w"] * factors[..., None]))
    assert module.bias.tolist() == [1] * 4


def test_a_file_may_be_as_large_as_its_own_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_guard, "MOST", 8)
    weights = {"v": WEIGHTS["w"].transpose(1, 0, 2, 3)}
    nodes = [
        ("Transpose", "v", "w", {"perm": [1, 0, 2, 3]}),
        CONV,
        ("Relu", "c", "y", {}),
    ]
    assert from_onnx(save(tmp_path / "net.onnx", nodes, weights)).network.layers[0].out_channels == 4


def test_names_in_errors_are_printable(tmp_path):
    """Of nodes, tensors and operations."""
    path = save(tmp_path / "net.onnx", [CONV, ("Relu", "c", "y", {})], WEIGHTS)
    for damage in (
        lambda graph: graph.node.insert(1, helper.make_node("Tanh\x1b[2J", ["c"], ["c2"], name="\x1b[31m\n")),
        lambda graph: graph.initializer.append(onnx.TensorProto(name="\x1b[31m", data_type=99)),
        lambda graph: graph.node[0].input.append("\x1b[31m"),
    ):
        model = onnx.load(path)
        damage(model.graph)
        if len(model.graph.node) == 3:
            model.graph.node[2].input[0] = "c2"
        damaged = tmp_path / "damaged.onnx"
        onnx.save(model, damaged)
        with pytest.raises(Spec2Error) as caught:
            from_onnx(damaged)
        assert str(caught.value).isprintable()


SHAPES = [(1, 3, 2, 2), (2, 3, 2, 2), (2, 3, 4), (2, 12), (2, 1, 3, 2, 2), (2, 3), (2, 1, 2, 2), (2, 4, 1, 1)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_number_per_channel(shape):
    """All constants that spread to a map, against the map itself."""
    channels = {12: 3, 1: 1 if len(shape) == 4 else 3}.get(shape[1], shape[1])
    numbers = torch.Generator().manual_seed(1)
    found = 0
    for sizes in product(*({1, size} for size in shape)):
        random = torch.randint(9, sizes, generator=numbers).double()
        steps = torch.arange(channels).double().repeat_interleave(max(sizes[-1] // channels, 1))
        for value in (random, torch.ones(sizes), steps.expand(sizes) if sizes[-1] == len(steps) else random):
            columns = value.expand(shape).reshape(shape[0], channels, -1)
            same = bool((columns == columns[:1, :, :1]).all())
            one = one_per_channel(value, shape, channels)
            assert (one is not None) == same, (sizes, value)
            if one is not None:
                found += 1
                assert torch.equal(one, columns[0, :, 0])
    assert found >= 2
    assert one_per_channel(torch.ones(7, *shape), shape, channels) is None
