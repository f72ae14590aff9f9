"""Graphs: what joins, adds, parts and subsamples maps, from modules and files, in floats and integers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from hw.compile.map_placement import buffers_of
from hw.compile.program import signed_channels
from hw.contract.network import Conv, Dense
from hw.util.errors import UnsupportedNetwork
from pruning import convert, fold_batch_norms_, from_onnx, quantise_, to_artifact
from pruning.importers import hardware
from pruning.training import recipe
from sim.model import run
from tests.census.census import built
from tests.pruning.importers.converting import assert_same, stirred
from tests.pruning.importers.onnx_graphs import export


def compared(model, shape, seed=1):
    """The network of ``model``, which computes the same and can lie in memory."""
    model = stirred(model, seed).eval()
    network, found = convert(model, shape, name="net")
    images = torch.rand(2, *shape)
    with torch.no_grad():
        assert_same(found.eval()(images).flatten(1), model(images.clone()).flatten(1))
    points = [layer for layer in network.layers if isinstance(layer, Conv) and layer.kernel == 1]
    assert all(layer.pointwise for layer in points), "copies as well"
    buffers_of(network)
    for number in range(len(network.layers)):
        signed_channels(network, number)
    return network


class Net(nn.Module):
    """Layers to compose a forward pass of."""

    def __init__(self, function):
        super().__init__()
        self.function = function
        self.stem, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, 2, 1)
        self.one, self.two, self.three = (nn.Conv2d(8, 8, k, padding=k // 2) for k in (3, 1, 5))
        self.wide, self.norm, self.norm16 = (
            nn.Conv2d(16, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.BatchNorm2d(16),
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.function(self, x)


def signs_between(m, x):
    """With a sign, without, with: the order of the sources changes."""
    x = m.stem(x)
    return m.wide(torch.cat([m.one(x), m.two(x).relu()], 1)) + m.three(torch.cat([x], 1))


def two_neighbours(m, x):
    """Map a lies beside b for one layer, beside c for another, which takes a copy."""
    a = m.stem(x).relu()
    b, c = m.one(a).relu(), m.two(a).relu()
    return m.wide(torch.cat([a, b], 1)).relu() + m.three(torch.cat([c, a], 1)[:, 4:12])


def in_a_circle(m, x):
    a = m.stem(x).relu()
    b = m.one(a).relu()
    return m.wide(torch.cat([a, b], 1)) + m.norm(torch.cat([b[:, :4], a[:, 4:]], 1))


def subsampled(m, x):
    y = m.stem(x)
    return y[:, :, ::2, ::2] + m.down(y)


def summed_flat(m, x):
    y = m.stem(x)
    return m.head((m.one(y) + m.two(y.relu())).mean((2, 3)))


def two_means(m, x):
    y = m.stem(x)
    return y.mean((2, 3)) - 2 * m.two(y).relu().mean((2, 3))


def joined(m, y):
    return torch.cat([m.one(y), y], 1)


GRAPHS = {
    "of a map and itself": lambda m, y: y + y,
    "of a map and what it becomes": lambda m, y: y + y.relu(),
    "of maps with ReLU": lambda m, y: m.one(y).relu() + m.two(y).relu(),
    "of three": lambda m, y: m.one(y) + m.two(y) + m.three(y),
    "a difference": lambda m, y: m.one(y).relu() - 2 * m.two(y),
    "in front of pooling": lambda m, y: F.max_pool2d((m.one(y) + y).relu(), 2),
    "behind pooling": lambda m, y: F.max_pool2d(m.one(y), 2) + m.down(y),
    "norm behind a sum": lambda m, y: m.norm(m.one(y) + y).relu(),
    "norm of a shared map": lambda m, y: m.one(m.norm(y).relu()) + y,
    "norm of joined maps": lambda m, y: m.wide(m.norm16(joined(m, y)).relu()),
    "ReLU of joined maps": lambda m, y: m.wide(torch.cat([m.one(y), m.two(y)], 1).relu()),
    "pooling of joined maps": lambda m, y: m.wide(F.max_pool2d(torch.cat([m.one(y), m.two(y).relu()], 1), 2)),
    "pooling of maps that are read": lambda m, y: m.wide(F.max_pool2d(joined(m, y), 2)) + m.down(y),
    "joined twice": lambda m, y: m.wide(torch.cat([y, y], 1)),
    "joined at the end": joined,
    "shuffled": lambda m, y: m.one(y.view(-1, 2, 4, 12, 12).transpose(1, 2).flatten(1, 2)),
    "shuffled and added": lambda m, y: m.one(y) + F.channel_shuffle(y, 2),
    "halves": lambda m, y: (lambda a, b: m.one(torch.cat([b.relu(), a], 1)))(*y.chunk(2, 1)),
    "every other pixel": lambda m, y: m.one(y[:, :, 1::2, 1::2]),
    "space to depth": lambda m, y: m.wide(F.pixel_unshuffle(y[:, :4], 2)),
    "means in the middle": lambda m, y: m.one(F.avg_pool2d(y, 3, 1, 1)).relu(),
    "means of 4×4": lambda m, y: m.one(F.avg_pool2d(y, 4)),
    "a mean as a map": lambda m, y: m.one(F.adaptive_avg_pool2d(y, 1)),
    "a mean with ReLU": lambda m, y: m.head(F.adaptive_avg_pool2d(y, 1).relu().flatten(1)),
    "sums as scores": lambda m, y: y.relu().sum((2, 3)),
}
"""Of the images' first convolution."""

OF_IMAGES = {
    "of the images": lambda m, x: torch.cat([x, x, x[:, :2]], 1) + m.stem(x),
    "more channels": lambda m, x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 3)) + m.down(m.stem(x)),
    "a large mean": lambda m, x: m.head(m.stem(F.pad(x, (1, 2, 2, 1))).mean((2, 3))),
    "images scaled": lambda m, x: m.stem((x - torch.tensor([0.5, 0.4, 0.3]).view(3, 1, 1)) / 0.25),
    "signs between": signs_between,
    "two neighbours": two_neighbours,
    "in a circle": in_a_circle,
    "every second pixel": subsampled,
    "a flattened sum": summed_flat,
}


@pytest.mark.parametrize("case", [*GRAPHS, *OF_IMAGES])
def test_a_graph_computes_the_same(case):
    function = OF_IMAGES.get(case) or (lambda m, x: GRAPHS[case](m, m.stem(x)))
    compared(Net(function), (3, 12, 12))


def test_a_sum_joins_the_convolution_that_nobody_else_reads():
    """The projection is made first, whatever the order of the module, and its map is added last."""
    network = convert(built("resnet-20"), (3, 32, 32)).network
    by_name = {layer.name: layer for layer in network.layers}
    last = by_name["6_branches_0_3"]
    assert last.added and last.relu and last.sources == ("6_branches_0_0", "6_branches_1_0")
    assert by_name["6_branches_0_0"].stride == by_name["6_branches_1_0"].stride == 2
    assert len(network.layers) == 1 + 18 + 2 + 1 and network.layers[-1] == Dense(
        "14", 24 * 64, 10, relu=False
    )


def test_zeros_in_a_shortcut_are_a_convolution_of_every_second_pixel():
    network, model = convert(built("resnet-20, zeros in the shortcut"), (3, 32, 32))
    name = next(layer.name for layer in network.layers if layer.name.endswith("copy"))
    layer = next(layer for layer in network.layers if layer.name == name)
    assert (layer.stride, layer.kernel, layer.relu, layer.out_channels) == (2, 1, True, 16)
    assert (layer.groups, layer.taps) == (1, 0)
    weight = model.get_submodule(name).weight[:, :, 0, 0]
    assert torch.equal(weight, F.pad(torch.eye(8), (0, 0, 4, 4)))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "size", "kernels"),
    [
        (11, 4, 2, 63, [2, 2, 3]),
        (3, 4, 1, 17, [2, 2, 1]),
        (1, 4, 0, 17, [1, 1, 1]),
        (9, 2, 4, 20, [2, 5]),
        (8, 8, 0, 32, [2, 2, 2, 1]),
        (7, 2, 3, 21, [7]),
        (4, 2, 1, 17, [4]),
    ],
)
def test_large_strides_and_kernels_are_phases(kernel, stride, padding, size, kernels):
    layers = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 5, kernel, stride, padding), nn.ReLU()
    network = compared(nn.Sequential(*layers), (3, size, size + 3))
    assert [k if k > 2 else min(k, 2) for k in kernels[-1:]] == [network.layers[-1].kernel]
    assert len(network.layers) == 1 + len(kernels) and network.spread == 1


APART = {(2, 2, 0): set(), (3, 1, 1): {4, 5, 6, 7}, (3, 2, 0): {5, 7}, (3, 2, 1): {5, 6, 7}}
"""Kernels behind which a layer of its own for pooling (side, stride, padding) takes far fewer tiles, or is
the only way; behind 6×6 and without padding a small map just does not."""


@pytest.mark.parametrize("pool", APART)
@pytest.mark.parametrize("kernel", range(1, 8))
def test_pooling_after_a_kernel_of_any_size(kernel, pool):
    layers = nn.Conv2d(2, 3, kernel), nn.ReLU(), nn.MaxPool2d(*pool)
    network = compared(nn.Sequential(*layers), (2, 15, 17))
    assert len(network.layers) == (2 if kernel in APART[pool] else 1)


@pytest.mark.parametrize(("channels", "size", "apart"), [(64, 56, False), (256, 56, True), (256, 13, False)])
def test_pooling_behind_many_channels_is_a_layer_of_its_own_where_that_saves_tiles(channels, size, apart):
    """196 tiles of a 3×3 kernel with 3×3 pooling of stride 2, or 100 without it and 81 of pooling alone."""
    layer = Conv("conv", channels, 8, 3, padding=1)
    assert hardware.takes_pool(layer, False, {"pool": 2, "pool_size": 3}, (size, size)) != apart


@pytest.mark.parametrize("size", [(1, 5), (6, 7), (7, 7), (8, 8), (8, 9), (9, 9), (10, 13), (16, 16)])
def test_a_mean_of_any_map_that_is_added(size):
    """One number for a map says nothing of its window: any other pixels, times some factor, give it, too."""
    network = compared(Net(two_means), (3, *size))
    assert network.maps[-1][1:] == (1, 1)


@given(st.data())
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_any_convolution_computes_the_same_or_says_why_not(data):
    """Groups, dilations, rectangles, strides, padding of any size."""
    draw = data.draw
    groups = draw(st.sampled_from([1, 2, 4]))
    kernel = draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
    options = {
        "stride": draw(st.sampled_from([1, 2, 4])),
        "padding": draw(st.one_of(st.integers(0, 4), st.tuples(st.integers(0, 2), st.integers(0, 2)))),
        "dilation": draw(st.integers(1, 2)),
    }
    layer = nn.Conv2d(4, 8, kernel, groups=groups, **options)
    model = nn.Sequential(layer, nn.BatchNorm2d(8), nn.ReLU())
    try:
        compared(model, (4, 11, 13))
    except UnsupportedNetwork as error:
        assert kernel[0] != kernel[1] or isinstance(options["padding"], tuple) or "leaves no" in str(error)


def test_every_blocker_is_named_with_the_places_that_share_it():
    gates = [nn.Sequential(nn.Conv2d(4, 4, 3, padding=1), nn.SiLU()) for _ in range(6)]
    model = nn.Sequential(
        *gates,
        nn.GroupNorm(2, 4),
        nn.Conv2d(4, 4, 13),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.ReLU(),
    )
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(model, (4, 16, 16))
    said = str(caught.value)
    assert said.startswith("4 things are in the way: (1) silu in '0.1' (SiLU), silu in '1.1' (SiLU), ")
    assert "(SiLU) and 2 more: the only activation the hardware has is ReLU" in said
    assert "(2) group_norm in '6'" in said and "(3) conv2d in '7'" in said and "(4) upsample" in said


@pytest.mark.parametrize("name", ["resnet-20, zeros in the shortcut", "densenet, cifar", "shufflenet-v2"])
def test_a_file_of_a_graph_is_the_module(tmp_path, name):
    model = built(name)
    network, found = from_onnx(export(model, tmp_path / "net.onnx"))
    images = torch.rand(2, *model.shape)
    with torch.no_grad():
        assert_same(found.eval()(images), model(images))
    assert len(network.layers) == len(convert(model, model.shape).network.layers)


@pytest.mark.parametrize("name", ["cross stage partial", "two columns", "repvgg", "denoiser"])
def test_integers_are_close_in_values(name):
    """The integer model's outputs and those of the module differ by less than a tenth of their spread."""
    model = built(name)
    network, found = convert(model, model.shape)
    torch.manual_seed(3)
    images = torch.randint(0, 256, (6, *model.shape))
    with torch.no_grad():
        expected = model(images / 255).flatten(1).numpy()
        fold_batch_norms_(found.eval(), network)
        quantise_(found, network, images / 255)
        levels = run(to_artifact(found, network), images.numpy().astype(np.uint8)).reshape(expected.shape)
    scale = (levels * expected).sum() / (levels.astype(float) ** 2).sum()
    assert np.abs(levels * scale - expected).max() < 0.1 * expected.std() + 0.05 * np.abs(expected).max()


def test_a_recipe_of_a_file_alone_says_what_is_left_to_the_host(tmp_path):
    path = export(built("svhn (hls4ml)"), tmp_path / "svhn.onnx")
    found = recipe.find(str(path), sparsity="uniform")
    assert found.data == "cifar10" and found.note.startswith("left to the host: Softmax node")
    assert found.network.layers[0] == Conv("0", 3, 16, 3, pool=2) and found.start is not None
