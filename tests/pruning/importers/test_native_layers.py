"""What importers write as the hardware has it: images that are spread, channels in groups, means."""

import math

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert, fold_batch_norms_, from_onnx, quantise_, to_artifact
from pruning.importers import hardware
from pruning.layers.convolutions import whole_kernel
from sim.model import run
from tests.census.parts import Function, Join, Sum
from tests.pruning.importers.converting import assert_same, stirred
from tests.pruning.importers.onnx_graphs import array, save

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def compared(model, shape, **options):
    """The network and the model, which computes what ``model`` does of images."""
    model = stirred(model, 3).eval()
    found = convert(model, shape, name="net", **options)
    images = torch.randint(0, 256, (3, *shape), generator=torch.Generator().manual_seed(4)) / 255
    seen = images
    if options:
        seen = (images - torch.tensor(MEAN).view(-1, 1, 1)) / torch.tensor(STD).view(-1, 1, 1)
    with torch.no_grad():
        assert_same(found.model.eval()(images).flatten(1), model(seen).flatten(1))
    return found


def integers(found, shape):
    """How far the integer model is from ``found`` on random images, as a share of the largest output."""
    images = np.random.default_rng(6).integers(0, 256, (16, *shape)).astype(np.uint8)
    real = torch.from_numpy(images) / 255
    network, model = found
    with torch.no_grad():
        expected = model.eval()(real).flatten(1)
    fold_batch_norms_(model, network)
    layers = quantise_(model, network, real, weight_bits=12)
    whole = torch.from_numpy(np.stack(list(run(to_artifact(model, network), images))))
    scale = layers[network.layers[-1].name].out_scale.view(-1, *[1] * (whole.dim() - 2))
    return float(((whole * scale).flatten(1) - expected).abs().max() / expected.abs().max())


# --- images that are spread --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "spread", "becomes"),
    [
        (7, 2, 3, 2, (4, 1, 2, 1)),
        (3, 2, 1, 2, (2, 1, 1, 0)),
        (5, 2, 0, 2, (3, 1, 0, 0)),
        (2, 2, 0, 2, (1, 1, 0, 0)),
        (11, 4, 2, 4, (4, 1, 1, 1)),
        (4, 4, 0, 4, (1, 1, 0, 0)),
        (5, 3, 1, 3, (3, 1, 1, 1)),
        (9, 8, 4, 4, (3, 2, 1, 1)),
        (3, 1, 1, 1, (3, 1, 1, 1)),
        (1, 2, 0, 1, (1, 2, 0, 0)),
    ],
)
def test_a_first_convolution_with_a_stride_reads_images_that_are_spread(
    kernel, stride, padding, spread, becomes
):
    layers = nn.Conv2d(3, 5, kernel, stride, padding), nn.ReLU(), nn.Flatten(), nn.LazyLinear(4)
    model = nn.Sequential(*layers)
    model(torch.zeros(1, 3, 24, 24))
    found = compared(model, (3, 24, 24))
    network, layer = found.network, found.network.layers[0]
    assert network.spread == spread and len(network.layers) == 2
    assert (layer.kernel, layer.stride, layer.padding, layer.after) == becomes
    assert layer.in_channels == 3 * spread**2
    rows = (24 + 2 * padding - kernel) // stride + 1
    assert layer.operations(network.inputs[0]) == 2 * rows**2 * kernel**2 * 3 * 5  # those of the module
    assert integers(found, (3, 24, 24)) < 0.02


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_any_first_convolution_computes_the_same(data):
    """Of rectangles, dilations, groups, padding of all sides, sizes of all rests, with means and without."""
    draw = data.draw
    options = {
        "stride": draw(st.sampled_from([2, 3, 4, 8])),
        "padding": draw(st.integers(0, 4)),
        "dilation": draw(st.integers(1, 2)),
        "groups": draw(st.sampled_from([1, 3])),
        "bias": draw(st.booleans()),
    }
    kernel = draw(st.one_of(st.integers(2, 6), st.tuples(st.integers(1, 5), st.integers(1, 5))))
    first = nn.ZeroPad2d(draw(st.tuples(*[st.integers(0, 3)] * 4)))
    shape = (3, draw(st.integers(9, 26)), draw(st.integers(9, 26)))
    model = nn.Sequential(first, nn.Conv2d(3, 6, kernel, **options), nn.ReLU())
    scales = draw(st.sampled_from([{}, {"mean": MEAN, "std": STD}]))
    try:
        compared(model, shape, **scales)
    except UnsupportedNetwork as error:
        assert "kernel" in str(error) or "of stride 3" in str(error)


def test_the_constant_channel_is_spread_as_well():
    """ResNet's first layer with torchvision's means: 16 channels, and so 2 groups of 8, where 12 took 2."""
    layers = nn.Conv2d(3, 8, 7, 2, 3), nn.ReLU(), nn.MaxPool2d(3, 2, 1)
    found = compared(nn.Sequential(*layers), (3, 30, 34), mean=MEAN, std=STD)
    assert (found.network.spread, found.network.constant) == (2, True)
    assert [layer.in_channels for layer in found.network.layers] == [16]
    assert found.network.layers[0].taps == 3 * 49
    assert integers(found, (3, 30, 34)) < 0.02


@pytest.mark.parametrize(
    "model",
    [
        Sum(nn.Conv2d(3, 3, 3, 2, 1), Function(lambda x: x[:, :, ::2, ::2])),
        Join(nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 4, 3, 2, 1)),
        nn.Sequential(Join(nn.Conv2d(3, 4, 3, padding=1), nn.Identity()), nn.Conv2d(7, 4, 3, 2)),
    ],
)
def test_images_that_others_read_too_are_not_spread(model):
    assert compared(model, (3, 12, 12)).network.spread == 1


# --- groups ------------------------------------------------------------------------------------------


def grouped(network):
    return [layer.groups for layer in network.layers if not layer.dot]


@pytest.mark.parametrize("groups", [1, 2, 4, 8])
def test_groups_stay_groups(groups):
    layers = nn.Conv2d(3, 8, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, padding=1, groups=groups), nn.BatchNorm2d(16)
    found = compared(nn.Sequential(*layers, nn.ReLU()), (3, 9, 8))
    left = groups if groups >= 4 else 1
    assert grouped(found.network) == [1, left]
    module = found.model.get_submodule(found.network.layers[1].name)
    assert module.weight.shape == (16, 8 // left, 3, 3)
    assert integers(found, (3, 9, 8)) < 0.02


def test_weights_that_happen_to_be_zero_are_no_groups():
    """They may be trained: only what the model cannot have is left out."""
    layers = nn.Conv2d(2, 8, 1), nn.Conv2d(8, 8, 3, groups=4), nn.Conv2d(8, 8, 3)
    with torch.no_grad():
        layers[1].weight.copy_(torch.eye(2).repeat(4, 1)[:, :, None, None].expand(-1, -1, 3, 3))
        layers[2].weight.copy_(torch.eye(8)[:, :, None, None].expand(-1, -1, 3, 3))
    assert grouped(compared(nn.Sequential(*layers), (2, 9, 9)).network) == [1, 4, 1]


def test_groups_of_channels_in_another_order_are_what_fits():
    """A shuffle of pairs in front of 8 groups of 1 leaves 4 groups of 2; a full one leaves none."""

    def net(order):
        move = Function(lambda x: torch.cat([x[:, n : n + 1] for n in order], 1))
        return nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), move, nn.Conv2d(8, 8, 3, groups=8))

    assert grouped(compared(net([1, 0, 3, 2, 5, 4, 7, 6]), (2, 9, 9)).network) == [1, 4]
    assert grouped(compared(net([0, 4, 1, 5, 2, 6, 3, 7]), (2, 9, 9)).network) == [1, 1]


def test_what_only_moves_or_averages_pixels_has_a_group_for_every_channel():
    layers = nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.AvgPool2d(3, 2), nn.Conv2d(8, 4, 3)
    network = compared(nn.Sequential(*layers), (3, 15, 15)).network
    assert grouped(network) == [1, 8, 1]
    assert [layer.taps for layer in network.layers] == [None, 0, None]
    shared = Sum(nn.Conv2d(5, 5, 1), nn.Identity(), then=nn.MaxPool2d(2))
    network = compared(nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(), shared), (3, 9, 9)).network
    copy = next(layer for layer in network.layers if layer.pool == 2)
    assert (copy.kernel, copy.groups, copy.taps) == (1, 5, 0)


# --- means -------------------------------------------------------------------------------------------


def mean_of(side, classes, *more):
    layers = nn.Conv2d(3, 16, 3, padding=1), nn.ReLU(), *more, nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return compared(nn.Sequential(*layers, nn.Linear(16, classes)), (3, side, side))


@pytest.mark.parametrize(
    ("side", "classes", "made"), [(8, 16, False), (8, 17, True), (4, 64, False), (4, 65, True)]
)
def test_a_mean_is_a_layer_where_weights_for_all_pixels_are_many(side, classes, made):
    network = mean_of(side, classes).network
    assert [layer.average for layer in network.layers] == [False, *[True] * made, False]
    assert network.layers[-1].inputs == (16 if made else 16 * side**2)
    assert hardware.takes_mean((side, side), classes) == made


def test_a_mean_of_larger_maps_is_one_of_means():
    """Zeros in an odd row and column are no pixels: what is left of the factor is the last layer's."""
    found = mean_of(13, 100)
    layers = found.network.layers
    assert [(layer.kernel, layer.groups, layer.average) for layer in layers[1:-1]] == [
        (2, 16, False),
        (8, 16, True),
    ]
    assert integers(found, (3, 13, 13)) < 0.02


def test_a_sum_is_a_mean_of_larger_weights():
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1),
        nn.ReLU(),
        Function(lambda x: x.sum((2, 3))),
        nn.Linear(16, 100),
    )
    found = compared(model, (3, 7, 7))
    assert [layer.average for layer in found.network.layers] == [False, True, False]
    weight = found.model.get_submodule(found.network.layers[-1].name).weight
    assert_same(weight, model[-1].weight * 49)


def test_a_mean_of_maps_side_by_side_keeps_their_order():
    """One with a sign, one without, and again the other way round, which has to be copied."""
    signs = Join(nn.Conv2d(3, 8, 1), nn.Sequential(nn.Conv2d(3, 8, 1), nn.ReLU()))
    model = nn.Sequential(signs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 100))
    found = compared(model, (3, 8, 8))
    assert [layer.average for layer in found.network.layers] == [False, False, True, False]
    assert integers(found, (3, 8, 8)) < 0.02


@pytest.mark.parametrize("shape", [(3, 8, 6), (3, 9, 9)])
def test_maps_that_are_no_square_of_8_pixels_or_fewer_have_weights_of_their_pixels_or_layers(shape):
    model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 300))
    network = compared(model, shape).network
    assert any(layer.average for layer in network.layers) == (shape[1] == 9)


def test_a_mean_of_images_has_weights_of_their_pixels():
    model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 100))
    assert [layer.dot for layer in compared(model, (3, 8, 8)).network.layers] == [True]


def test_a_mean_that_is_a_layer_has_the_range_of_the_file(tmp_path):
    def qdq(name, out, step):
        zero = f"{step}z"
        return [
            ("QuantizeLinear", f"{name} {step} {zero}", f"{out}i", {}),
            ("DequantizeLinear", f"{out}i {step} {zero}", out, {}),
        ]

    nodes = [
        *[("Conv", "x w", "c", {}), *qdq("c", "q", "s"), ("GlobalAveragePool", "q", "m", {})],
        *[*qdq("m", "n", "t"), ("Flatten", "n", "f", {}), ("Gemm", "f v", "y", {})],
    ]
    steps = {"s": np.float32(0.05), "sz": np.uint8(0), "t": np.float32(0.01), "tz": np.uint8(0)}
    constants = {"w": array(4, 2, 3, 3), "v": array(4, 100), **steps}
    found = from_onnx(save(tmp_path / "m.onnx", nodes, constants, ("n", 2, 9, 9)))
    first, mean, last = found.network.layers
    assert mean.average and not last.relu
    assert (found.given[first.name].high, found.given[mean.name].high) == pytest.approx((12.75, 2.55))
    assert not found.note
    layers = quantise_(found.model, found.network, None, given=found.given)
    assert math.isclose(float(layers[mean.name].out_scale.max()), 2.55 / 127, rel_tol=0.01)


def test_groups_and_their_words_are_those_of_all_channels():
    """The kernel of a module in groups is, with its zeros, the one that computes the same."""
    layers = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 8, 3, groups=4)
    found = compared(nn.Sequential(*layers), (2, 9, 9))
    layer = found.network.layers[1]
    kernel = whole_kernel(found.model.get_submodule(layer.name), layer)
    assert (kernel != 0).any((2, 3)).sum() == 8 and torch.equal(kernel[2:4, 1:2], layers[1].weight[2:4])
