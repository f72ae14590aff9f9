"""Maps that grow: every pixel of the larger map is a channel of a smaller one, for whatever reads it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from onnx.reference import ReferenceEvaluator
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert, fold_batch_norms_, from_onnx, quantise_, to_artifact
from pruning.importers.growth import growth, shuffled
from sim.model import run
from tests.pruning.importers.converting import assert_same, stirred
from tests.pruning.importers.onnx_graphs import array, export, save

SHAPE = (3, 16, 16)


class Net(nn.Module):
    """``function`` of layers and images: what makes maps smaller and larger."""

    shape = SHAPE

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(7)
        self.function = function
        self.one, self.down = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1, stride=2)
        self.two, self.same = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.wide, self.large = nn.Conv2d(16, 6, 3, padding=1), nn.Conv2d(8, 4, 5, padding=2)
        self.depthwise, self.norm = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8)
        self.by_two, self.by_four = (nn.Conv2d(8, 4, 3, padding=1, stride=n) for n in (2, 4))
        self.up, self.groups = nn.ConvTranspose2d(8, 8, 2, 2), nn.ConvTranspose2d(8, 8, 4, 2, 1, groups=4)
        self.up3, self.up6 = nn.ConvTranspose2d(8, 6, 3, 2, 1, 1), nn.ConvTranspose2d(6, 4, 2, 2)
        self.still, self.thin = nn.ConvTranspose2d(8, 4, 3, 1, 1), nn.Conv2d(2, 3, 3, padding=1)
        self.slopes, self.head = nn.PReLU(8), nn.Linear(8 * 16 * 16, 5)
        self.last, self.last6 = nn.Conv2d(8, 2, 1), nn.Conv2d(6, 2, 1)

    def first(self, x):
        return F.relu(self.one(x))

    def small(self, x):
        return F.relu(self.down(self.first(x)))

    def grown(self, x):
        return F.relu(self.up(self.small(x)))

    def forward(self, x):
        return self.function(self, x)


def u_net(m, x):
    y = m.first(x)
    up = F.relu(m.up(m.two(F.relu(m.down(y)))))
    return m.last6(F.relu(m.wide(torch.cat([up, y], 1))))


def u_net_of_repeated_pixels(m, x):
    y = m.first(x)
    up = F.interpolate(m.two(F.relu(m.down(y))), scale_factor=2)
    return m.last6(F.relu(m.wide(torch.cat([y, up], 1))))


def two_steps(m, x):
    """A skip from the middle, and one from the top, of which every pixel is one of sixteen."""
    y = m.first(x)
    z = F.relu(m.down(y))
    up = F.interpolate(F.interpolate(F.relu(m.two(F.max_pool2d(z, 2))), scale_factor=2) + z, scale_factor=2)
    return m.last6(m.wide(torch.cat([y, up], 1)))


def pyramid(m, x):
    y = m.first(x)
    return m.same(m.two(y) + F.interpolate(F.relu(m.down(y)), scale_factor=2))


def residual(m, x):
    y = m.grown(x)
    return m.last(F.relu(m.same(y) + y))


def two_ways(m, x):
    y = m.small(x)
    return m.last(F.relu(m.up(y) + F.interpolate(y, scale_factor=2)))


def padded(m, x):
    return m.last(F.relu(m.same(F.pad(m.grown(x), (1, 1, 1, 1)))))


def by(scale):
    return lambda m, x: m.same(F.interpolate(m.two(m.small(x)), scale_factor=scale)).relu()


TAKEN = {
    "repeated pixels, then 1×1": lambda m, x: m.last(F.interpolate(m.small(x), scale_factor=2)),
    "repeated pixels": by(2),
    "repeated three times": by(3),
    "repeated four times": by(4),
    "a pixel shuffle": lambda m, x: m.thin(F.pixel_shuffle(m.first(x), 2)),
    "a pixel shuffle of images": lambda m, x: m.one(F.interpolate(x, scale_factor=2)),
    "a transposed convolution at the end": lambda m, x: m.up(m.small(x)),
    "of 3×3": lambda m, x: m.last6(F.relu(m.up3(m.small(x)))),
    "in groups": lambda m, x: m.same(F.relu(m.norm(m.groups(m.small(x))))),
    "of stride 1": lambda m, x: m.still(m.small(x)),
    "one after the other": lambda m, x: m.up6(F.relu(m.up3(m.small(x)))),
    "U-Net": u_net,
    "U-Net of repeated pixels": u_net_of_repeated_pixels,
    "two steps": two_steps,
    "a feature pyramid": pyramid,
    "a residual addition": residual,
    "the sum of two ways to grow": two_ways,
    "then fully connected": lambda m, x: m.head(m.grown(x).flatten(1)),
    "then smaller": lambda m, x: m.by_two(m.grown(x)),
    "then much smaller": lambda m, x: m.by_four(m.grown(x)),
    "depthwise": lambda m, x: m.last(F.relu(m.depthwise(m.grown(x)))),
    "a large kernel": lambda m, x: m.large(m.grown(x)),
    "padded": padded,
    "a slope, then a norm": lambda m, x: m.last(m.norm(F.leaky_relu(m.up(m.small(x)), 0.1))),
    "a slope for every channel": lambda m, x: m.last(m.slopes(m.up(m.small(x)))),
    "a norm of repeated pixels": lambda m, x: m.last(
        F.relu(m.norm(F.interpolate(m.down(m.first(x)), scale_factor=2)))
    ),
    "factors by channel": lambda m, x: m.last(
        m.up(m.small(x)) * torch.linspace(-1, 1, 8).view(-1, 1, 1) + 0.3
    ),
    "a clip": lambda m, x: m.last(F.relu6(m.up(m.small(x)))),
    "channels of it": lambda m, x: m.thin(m.up(m.small(x))[:, 2:4]),
    "images that grew and are scaled": lambda m, x: m.one(F.interpolate(x, scale_factor=2) * 2 - 0.5),
    "images that grew, and one of them twice": lambda m, x: m.one(
        F.interpolate(x[:, [0, 2, 0]], scale_factor=2)
    ),
    "zeros beside it, and an offset": lambda m, x: m.wide(
        (lambda y: torch.cat([y, torch.zeros_like(y)], 1) * 2 + 0.25)(m.grown(x))
    ),
    "channels twice, with factors": lambda m, x: m.wide(
        (lambda y: torch.cat([y, y.flip(1)], 1) * torch.linspace(0.5, 2, 16).view(-1, 1, 1))(m.grown(x))
    ),
}


def larger(maps: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """What the hardware gives, as the host makes larger maps of it."""
    while maps.dim() == 4 and maps.shape[-1] < expected.shape[-1]:
        maps = F.pixel_shuffle(maps, 3 if expected.shape[-1] // maps.shape[-1] % 2 else 2)
    return maps


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", TAKEN)
def test_it_computes_the_same(tmp_path, case, way):
    model = stirred(Net(TAKEN[case]), 3).eval()
    if way == "torch":
        network, found = convert(model, SHAPE, name="net")
    else:
        network, found = from_onnx(export(model, tmp_path / "net.onnx"))
    images = torch.rand(2, *SHAPE)
    with torch.no_grad():
        expected = model(images)
        assert_same(larger(found.eval()(images), expected), expected)
        fold_batch_norms_(found, network)
        assert_same(larger(found(images), expected), expected)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_every_transposed_convolution_that_makes_whole_multiples(stride):
    torch.manual_seed(stride)
    taken = 0
    for side in range(1, 8):
        for padding in range(side):
            for more in range(stride):
                for dilation in (1, 2):
                    after = side + (side - 1) * (dilation - 1) - stride - 2 * padding + more
                    if after % stride or after // stride not in (-1, 0, 1):
                        continue
                    layer = nn.ConvTranspose2d(4, 3, side, stride, padding, more, dilation=dilation)
                    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), layer).eval()
                    try:
                        found = convert(model, (3, 8, 8), name="net").model.eval()
                    except UnsupportedNetwork as error:
                        assert "no square kernel of at most 7×7" in str(error)
                        continue
                    images = torch.rand(2, 3, 8, 8)
                    with torch.no_grad():
                        expected = model(images)
                        assert_same(larger(found(images), expected), expected)
                    taken += 1
    assert taken >= 10


W = {"w": array(8, 2, 3, 3), "w2": array(3, 2, 3, 3), "w8": array(3, 8, 3, 3)}
FILES = {
    "depth to space, columns": ([("DepthToSpace", ["c"], "d", {"blocksize": 2, "mode": "CRD"})], 18),
    "depth to space, depth": ([("DepthToSpace", ["c"], "d", {"blocksize": 2})], 18),
    "resize by scales": ([("Resize", ["c", "", "twice"], "d", {})], 18),
    "resize to sizes": (
        [
            (
                "Resize",
                ["c", "", "", "sizes"],
                "d",
                {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
            )
        ],
        18,
    ),
    "resize of opset 10": ([("Resize", ["c", "twice"], "d", {"mode": "nearest"})], 10),
    "upsample of opset 9": ([("Upsample", ["c", "twice"], "d", {"mode": "nearest"})], 9),
}


@pytest.mark.parametrize("case", FILES)
def test_what_files_say_is_what_onnx_makes_of_it(tmp_path, case):
    nodes, opset = FILES[case]
    weight = "w2" if "depth" in case else "w8"
    constants = {**W, "twice": np.array([1, 1, 2, 2], np.float32), "sizes": np.array([1, 8, 14, 14])}

    def file(name, nodes, opset):
        graph = [("Conv", "x w", "c", {}), *nodes, ("Conv", f"d {weight}", "y", {})]
        used = {
            name for _, names, *_ in graph for name in (names.split() if isinstance(names, str) else names)
        }
        given = {name: value for name, value in constants.items() if name in used}
        return save(tmp_path / name, graph, given, shape=(1, 2, 9, 9), opset=opset)

    found = from_onnx(file("net.onnx", nodes, opset), (2, 9, 9))
    # ONNX's own evaluator does not know the first Resize, which says the same as later ones by default.
    known = FILES["resize by scales"] if opset == 10 else (nodes, opset)
    images = torch.rand(1, 2, 9, 9)
    evaluator = ReferenceEvaluator(str(file("known.onnx", *known)))
    expected = torch.from_numpy(evaluator.run(None, {"x": images.numpy()})[0])
    with torch.no_grad():
        assert_same(larger(found.model.eval()(images), expected), expected)


NOTES = {
    "repeated": (
        lambda m, x: F.interpolate(m.small(x), scale_factor=2),
        "making 2×2 pixels of each that it gives, 8×8×8",
    ),
    "shuffled": (lambda m, x: m.up(m.small(x)), "pixel shuffles of what it gives, 32×8×8: by 2"),
    "in two steps": (
        lambda m, x: m.up6(F.relu(m.up3(m.small(x)))),
        "pixel shuffles of what it gives, 64×8×8: by 2, then by 2",
    ),
    "by three": (by(3), "pixel shuffles of what it gives, 72×8×8: by 3"),
    "by six": (by(6), "pixel shuffles of what it gives, 288×8×8: by 2, then by 3"),
    "then a sigmoid": (
        lambda m, x: torch.sigmoid(m.up(m.small(x))),
        "pixel shuffles of what it gives, 32×8×8: by 2, sigmoid in Net",
    ),
    "by more than eight": (
        lambda m, x: F.interpolate(m.small(x), scale_factor=16),
        "upsample_nearest2d in Net",
    ),
    "between pixels": (
        lambda m, x: F.interpolate(m.small(x), scale_factor=2, mode="bilinear"),
        "upsample_bilinear2d in Net",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_what_is_left_to_the_host_is_said(case):
    function, note = NOTES[case]
    assert convert(Net(function), SHAPE).note == f"left to the host: {note}"


REFUSED = {
    "between pixels": (
        lambda m, x: m.last(F.interpolate(m.small(x), scale_factor=2, mode="bilinear")),
        'use mode="nearest"',
    ),
    "one and a half": (
        lambda m, x: m.last(F.interpolate(m.small(x), scale_factor=1.5)),
        "maps grow by whole numbers",
    ),
    "by more than eight": (
        lambda m, x: m.last(F.interpolate(m.small(x), scale_factor=16)),
        "a map that grows by 16",
    ),
    "by more than eight in two steps": (
        lambda m, x: m.last(F.interpolate(F.interpolate(m.small(x), scale_factor=4), scale_factor=4)),
        "a map that grows by 16",
    ),
    "then pooling": (lambda m, x: m.last(F.max_pool2d(m.grown(x), 2)), "it takes a map that grew"),
    "then means": (lambda m, x: m.grown(x).mean((2, 3)), "it takes a map that grew"),
    "scores as maps": (
        lambda m, x: m.up(m.head(m.first(x).flatten(1))[:, :1, None, None].expand(-1, 8, -1, -1)),
        "a fully connected layer gives",
    ),
    "a map of one pixel": (
        lambda m, x: m.up(F.relu(m.two(F.adaptive_avg_pool2d(m.first(x), 1)))),
        "a convolution of a map of one pixel, and",
    ),
    "odd sides": (
        lambda m, x: m.last(F.relu(m.same(F.pad(m.grown(x), (1, 0, 1, 0))))),
        "2×2 of them together",
    ),
    "a skip of other factors": (
        lambda m, x: m.wide(
            torch.cat([F.interpolate(m.small(x), scale_factor=3), F.interpolate(m.one(x), (24, 24))], 1)
        ),
        "maps grow by whole numbers",
    ),
    "a skip of thirds": (
        lambda m, x: (
            F.interpolate(m.small(x[:, :, :6, :6]), scale_factor=3) + m.one(F.pad(x, (0, -7, 0, -7)))
        ),
        "meets one that grew by 3",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_smaller_maps_do_not_do_is_refused(case):
    function, sentence = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(Net(function), SHAPE)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("case", ["U-Net", "two steps", "a slope for every channel"])
def test_integers_follow(case):
    model = stirred(Net(TAKEN[case]), 3).eval()
    network, found = convert(model, SHAPE, name="net")
    images = np.random.default_rng(1).integers(0, 256, (16, *SHAPE), np.uint8)
    floats = torch.from_numpy(images).float() / 255
    fold_batch_norms_(found.eval(), network)
    with torch.no_grad():
        expected = found(floats).flatten(1).double().numpy()
    quantise_(found, network, floats)
    given = run(to_artifact(found, network), images).reshape(len(images), -1).astype(float)
    scale = (given * expected).sum() / (given * given).sum()
    assert np.abs(given * scale - expected).max() < 0.06 * np.abs(expected).max()


@pytest.mark.parametrize("by", [2, 3, 4, 6, 8])
def test_the_order_of_a_map_that_grew_is_known_again(by):
    whole = (3 * by * by, 2, 5)
    index = shuffled(whole, by)
    found = growth(index, whole)
    assert index.shape == (3, 2 * by, 5 * by) and found.by == by and found.apart
    assert torch.equal(found.in_order, torch.arange(whole[0]))
    twice = growth(torch.cat([index, index]), whole)
    assert not twice.apart and growth(index[:, :, 1:], whole) is None
    assert growth(index.flip(2), whole) is None and growth(index.roll(1, 1), whole) is None
