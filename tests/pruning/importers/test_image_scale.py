"""Images that are scaled on the way in: what waits, becomes weights, bias and the kernel of a constant
channel, exactly, whatever the padding."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hw.contract.network import Conv, Network
from hw.host_interface.stream_format import first_map
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import convert, from_onnx, quantise_, to_artifact
from pruning.importers.assemble import Assembler
from sim.model import run
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import array, save

SHAPE = (3, 12, 11)
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
MEANS = {"m": np.array(MEAN, np.float32).reshape(3, 1, 1), "s": np.array(STD, np.float32).reshape(3, 1, 1)}
SCALED = [("Sub", "x m", "n", {}), ("Div", "n s", "d", {})]
PADDED = {"pads": [1, 1, 1, 1]}


def column(numbers):
    return torch.tensor(numbers).view(-1, 1, 1)


def scaled(images, mean=MEAN, std=STD):
    return (images - column(mean)) / column(std)


def images(count=4, shape=SHAPE, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, *shape), generator=generator) / 255


def file(tmp_path, nodes, constants=(), shape=SHAPE, **options):
    path = save(tmp_path / "net.onnx", nodes, MEANS | dict(constants), ("n", *shape))
    return from_onnx(path, **options)


def same(converted, x, expected):
    with torch.no_grad():
        assert_same(converted.model.eval()(x), expected)
    assert Network.from_json(converted.network.to_json()) == converted.network


numbers = st.floats(-0.5, 1.5).map(lambda x: round(x, 2))


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_a_convolution_of_scaled_images_is_one_of_pixels(data):
    """Of any kernel, padding, stride and number of groups, with means of zero among others."""
    draw = data.draw
    channels, groups = draw(st.sampled_from([(1, 1), (3, 1), (3, 3), (4, 2)]))
    means = draw(st.one_of(numbers, st.lists(numbers, min_size=channels, max_size=channels), st.none()))
    std = draw(
        st.one_of(st.floats(0.1, 3), st.lists(st.floats(0.1, 3), min_size=channels, max_size=channels))
    )
    kernel = draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
    kernel = kernel if draw(st.booleans()) else (kernel[0],) * 2
    padding = draw(st.integers(0, min(kernel) - 1))
    stride = draw(st.sampled_from([1, 1, 2, 4])) if kernel[0] == kernel[1] else 1
    bias = torch.linspace(-1, 1, 6) if draw(st.booleans()) else None
    shape = (channels, 14, 13)
    make = Assembler("net", shape, 2)
    make.take_images(means, std)
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    weight = torch.randn(6, channels // groups, *kernel, generator=generator)
    options = {"stride": (stride,) * 2, "padding": (padding,) * 2, "dilation": (1, 1), "groups": groups}
    try:
        made = make.convolution(make.images, "here", "conv", weight, bias, **options)
    except UnsupportedNetwork:
        with pytest.raises(UnsupportedNetwork):  # whatever images it reads
            plain = Assembler("net", shape, 2)
            plain.convolution(plain.images, "here", "conv", weight, bias, **options)
        return
    converted = make.finish(make.relu(made, "behind"))
    mean, deviation = (
        torch.tensor(default if value is None else value).expand(channels).view(-1, 1, 1)
        for value, default in ((means, 0.0), (std, 1.0))
    )
    x = images(3, shape)
    expected = F.conv2d((x - mean) / deviation, weight, bias, (stride,) * 2, (padding,) * 2, groups=groups)
    same(converted, x, expected.relu())
    assert converted.network.constant == bool(padding and (mean != 0).any())
    assert not any("copy" in layer.name for layer in converted.network.layers)


def test_without_padding_the_network_is_what_it_was(tmp_path):
    conv = ("Conv", "d w", "y", {})
    weights = {"w": array(4, 3, 3, 3)}
    converted = file(tmp_path, [*SCALED, conv], weights)
    plain = file(tmp_path, [("Conv", "x w", "y", {})], weights)
    (layer,), (other,) = converted.network.layers, plain.network.layers
    assert replace(layer, name=other.name) == other and converted.network.plain
    same(converted, images(), F.conv2d(scaled(images()), torch.tensor(weights["w"])))


def test_the_constant_channel_is_one_more_and_operations_are_those_of_the_file(tmp_path):
    weights = {"w": array(4, 3, 3, 3)}
    nodes = [("Conv", "x w", "y", PADDED)]
    network = file(tmp_path, nodes, weights, mean=MEAN, std=STD).network
    assert network.input == SHAPE and network.maps[0] == (4, 12, 11) and network.constant_channels == (3,)
    assert network.layers[0].in_channels == 4
    assert network.operations == file(tmp_path, nodes, weights).network.operations


NORM = {
    "scale": np.array([1.5, -0.5, 2.0], np.float32),
    "shift": np.array([0.5, -1.0, 0.0], np.float32),
    "mean": np.array(MEAN, np.float32),
    "variance": np.array([0.05, 0.2, 1.0], np.float32),
    "w": array(4, 3, 3, 3),
    "w6": array(4, 6, 3, 3),
    "w1": array(3, 3, 1, 1),
    "w3": array(4, 3, 3, 3),
    "whole": array(3 * 12 * 11, 5),
    "mean_image": array(3, 12, 11),
    "flat": np.array([-1, 396]),
    "grey": np.array([0, 0, 0]),
    "bgr": np.array([2, 1, 0]),
    "starts": np.array([0, 0, 1, 1]),
    "ends": np.array([9, 9, 99, 99]),
}
T = {name: torch.tensor(value) for name, value in NORM.items()}


def normed(x):
    return F.batch_norm(x, T["mean"], T["variance"], T["scale"], T["shift"])


def padded(x, weight="w"):
    return F.conv2d(x, T[weight], padding=1)


BATCH_NORM = ("BatchNormalization", "x scale shift mean variance", "d", {})
CONV = ("Conv", "d w", "c", PADDED)
JOIN = ("Concat", "c e", "j", {"axis": 1})
ON = [("Conv", "f w3", "g", PADDED), ("Add", "c g", "y", {})]
HALVED = {"kernel_shape": [2, 2], "strides": [2, 2]}
CASES = {
    "a batch norm first": ([BATCH_NORM, ("Conv", "d w", "y", PADDED)], lambda x: padded(normed(x))),
    "two of them": (
        [
            *SCALED,
            ("BatchNormalization", "d scale shift mean variance", "e", {}),
            ("Conv", "e w", "y", PADDED),
        ],
        lambda x: padded(normed(scaled(x))),
    ),
    "read twice": (
        [
            *SCALED,
            CONV,
            ("Conv", "d w1", "e", {}),
            ("Concat", "c e", "j", {"axis": 1}),
            ("Relu", "j", "y", {}),
        ],
        lambda x: torch.cat([padded(scaled(x)), F.conv2d(scaled(x), T["w1"])], 1).relu(),
    ),
    "scaled and as they are": (
        [*SCALED, CONV, ("Conv", "x w", "e", PADDED), ("Add", "c e", "y", {})],
        lambda x: padded(scaled(x)) + padded(x),
    ),
    "beside other maps": (
        [*SCALED, ("Conv", "d w1", "c", {}), ("Conv", "d w1", "e", {}), JOIN, ("Conv", "j w6", "y", PADDED)],
        lambda x: padded(torch.cat([F.conv2d(scaled(x), T["w1"])] * 2, 1), "w6"),
    ),
    "blue first": (
        [*SCALED, ("Gather", "d bgr", "g", {"axis": 1}), ("Conv", "g w", "y", PADDED)],
        lambda x: padded(scaled(x).flip(1)),
    ),
    "grey as three colours": (
        [("Gather", "x grey", "g", {"axis": 1}), ("Sub", "g m", "n", {}), ("Conv", "n w", "y", PADDED)],
        lambda x: padded(x[:, :1].expand(-1, 3, -1, -1) - column(MEAN)),
    ),
    "a slice of the pixels": (
        [*SCALED, ("Slice", "d starts ends", "g", {}), ("Conv", "g w", "y", PADDED)],
        lambda x: padded(scaled(x)[:, :, 1:, 1:]),
    ),
    "a mean image": (
        [("Sub", "x mean_image", "n", {}), ("Reshape", "n flat", "f", {}), ("MatMul", "f whole", "y", {})],
        lambda x: (x - T["mean_image"]).flatten(1) @ T["whole"],
    ),
    "a flattened image": (
        [*SCALED, ("Reshape", "d flat", "f", {}), ("MatMul", "f whole", "y", {})],
        lambda x: scaled(x).flatten(1) @ T["whole"],
    ),
    "ReLU of scaled images": (
        [*SCALED, ("Relu", "d", "r", {}), ("Conv", "r w", "y", PADDED)],
        lambda x: padded(scaled(x).relu()),
    ),
    "a leaky ReLU of scaled images": (
        [*SCALED, ("LeakyRelu", "d", "r", {"alpha": 0.125}), ("Conv", "r w", "y", PADDED)],
        lambda x: padded(F.leaky_relu(scaled(x), 0.125)),
    ),
    "pooled before a layer": (
        [*SCALED, ("MaxPool", "d", "p", HALVED), ("Conv", "p w", "y", PADDED)],
        lambda x: padded(F.max_pool2d(scaled(x), 2)),
    ),
    "averaged before a layer": (
        [*SCALED, ("AveragePool", "d", "p", HALVED), ("Conv", "p w", "y", PADDED)],
        lambda x: padded(F.avg_pool2d(scaled(x), 2)),
    ),
    "added to a convolution of themselves": (
        [*SCALED, ("Conv", "d w1", "c", {}), ("Add", "c d", "y", {})],
        lambda x: F.conv2d(scaled(x), T["w1"]) + scaled(x),
    ),
    "added as they are": (
        [*SCALED, CONV, ("Conv", "d w1", "e", {}), ("Add", "e x", "f", {}), *ON],
        lambda x: padded(scaled(x)) + padded(F.conv2d(scaled(x), T["w1"]) + x, "w3"),
    ),
    "a positive offset, and a ReLU of it": (
        [("Add", "x s", "n", {}), ("Relu", "n", "r", {}), ("Conv", "r w", "y", PADDED)],
        lambda x: padded(x + column(STD)),
    ),
    "nothing else": ([SCALED[0], ("Relu", "n", "y", {})], lambda x: (x - column(MEAN)).relu()),
}


@pytest.mark.parametrize("case", CASES)
def test_whatever_reads_them_gets_them_scaled(tmp_path, case):
    nodes, function = CASES[case]
    same(file(tmp_path, nodes, NORM), images(), function(images()))


@pytest.mark.parametrize("case", ["a batch norm first", "grey as three colours", "a mean image"])
def test_mean_and_std_come_in_front_of_what_the_file_does(tmp_path, case):
    nodes, function = CASES[case]
    x = scaled(images(), (0.1, 0.2, 0.3), (2.0, 0.5, 0.7))
    same(file(tmp_path, nodes, NORM, mean=(0.1, 0.2, 0.3), std=(2.0, 0.5, 0.7)), images(), function(x))


def test_a_file_of_pixels_up_to_255_is_one_of_images(tmp_path):
    nodes = [("Mul", "x small", "n", {}), ("Conv", "n w", "y", PADDED)]
    converted = file(tmp_path, nodes, NORM | {"small": np.float32(1 / 255)}, std=1 / 255)
    same(converted, images(), padded(images()))


@pytest.mark.parametrize(
    ("mean", "std", "says"),
    [
        ((0.5, 0.5), None, "mean is 2 numbers for images of 3 channels: give one, or one per channel"),
        (None, (), "std is 0 numbers"),
        (None, (1.0, 0.0, 1.0), "std must be finite numbers above 0, not 0.0"),
        (float("nan"), None, "mean must be finite numbers, not nan"),
        (None, -1.0, "std must be finite numbers above 0, not -1.0"),
    ],
)
def test_numbers_that_are_none_are_refused(tmp_path, mean, std, says):
    with pytest.raises(ConfigError, match=says):
        file(tmp_path, [("Conv", "x w", "y", {})], NORM, mean=mean, std=std)


def test_a_mean_image_in_front_of_a_convolution_is_refused(tmp_path):
    nodes = [("Sub", "x mean_image", "n", {}), ("Conv", "n w", "y", PADDED)]
    with pytest.raises(UnsupportedNetwork, match="Sub node 'node0': a constant of 3×12×11 that is not one"):
        file(tmp_path, nodes, NORM)


def test_a_module_takes_mean_and_std():
    torch.manual_seed(1)
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 132, 4))
    converted = convert(model, SHAPE, mean=MEAN, std=STD)
    with torch.no_grad():
        same(converted, images(), model(scaled(images())))
    assert converted.network.layers[0] == Conv("0", 4, 8, 3, 1, taps=27)


@pytest.mark.parametrize("padding", [0, 1])
def test_integers_are_as_close_as_those_of_images_that_nobody_scaled(padding):
    """In values, at the edges too, where a mean that were left out would be many times as much."""
    errors = []
    for mean in ((0.0, 0.0, 0.0), MEAN):
        make = Assembler("net", (3, 20, 21), 2)
        make.take_images(mean, STD)
        weight = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(2))
        options = {"stride": (1, 1), "padding": (padding,) * 2, "dilation": (1, 1), "groups": 1}
        network, model = make.finish(make.convolution(make.images, "here", "conv", weight, None, **options))
        x = images(4, (3, 20, 21))
        expected = F.conv2d(scaled(x, mean), weight, padding=padding).numpy()
        scale = quantise_(model, network, x)["conv"].out_scale.numpy().reshape(-1, 1, 1)
        difference = run(to_artifact(model, network), (x * 255).round().byte().numpy()) * scale - expected
        edge = difference[:, :, [0, -1]], difference[..., [0, -1]]
        errors.append([np.sqrt((part**2).mean()) for part in (difference, *edge)])
    assert all(found < 1.5 * plain for plain, found in zip(*errors, strict=True)), errors


def test_the_bias_takes_up_what_rounding_leaves_of_a_white_tile():
    """Of coarse weights: where the image is one colour, the mean in units of the output is exact."""
    make = Assembler("net", (3, 24, 24), 2)
    make.take_images(0.9, 0.25)
    weight = torch.randn(8, 3, 3, 3, generator=torch.Generator().manual_seed(4))
    options = {"stride": (1, 1), "padding": (1, 1), "dilation": (1, 1), "groups": 1}
    network, model = make.finish(make.convolution(make.images, "here", "conv", weight, None, **options))
    layer = quantise_(model, network, images(4, (3, 24, 24)), weight_bits=4)["conv"]
    assert layer.constant == (3,)
    expected = -0.9 / 0.25 * weight.sum((1, 2, 3)).numpy()
    worst = []
    for layer.constant in ((3,), ()):
        black = run(to_artifact(model, network), np.zeros((1, 3, 24, 24), np.uint8))[0, :, 8:16, 8:16]
        steps = black - (expected / layer.out_scale.numpy()).reshape(-1, 1, 1)
        worst.append(np.abs(steps).max())
    assert worst[0] <= 1 and worst[1] > 3, worst


def test_the_host_adds_a_white_channel():
    pixels = np.arange(2 * 3 * 5, dtype=np.uint8).reshape(1, 2, 3, 5)
    found = first_map(pixels, 1, True)
    assert found.dtype == np.uint8 and np.array_equal(found[:, :2], pixels) and (found[:, 2] == 255).all()
    assert np.array_equal(first_map(pixels, 1, False), pixels)
    apart = first_map(pixels, 2, True)
    assert apart.shape == (1, 12, 2, 3)
    assert (apart[0, 8] == 255).all() and apart[0, 11].tolist() == [[255, 255, 0], [0, 0, 0]]
