"""What meets a map after its pixels were laid out otherwise: flattened, turned, averaged axis by axis."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert
from tests.pruning.importers.converting import assert_same, assert_taken, stirred

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """``function`` of the map of a convolution, (8, 6, 6) with ``padding=0``, and of layers ``a``, ``b``."""

    def __init__(self, function, *modules, padding=0):
        super().__init__()
        self.function, self.conv = function, nn.Conv2d(3, 8, 3, padding=padding)
        for name, module in zip("ab", modules, strict=False):
            setattr(self, name, module)

    def forward(self, x):
        return self.function(self, self.conv(x))


def flat_norm(*before):
    """A batch norm of every value of a flattened map."""
    layers = nn.Sequential(nn.Conv2d(3, 8, 3), *before, nn.Flatten())
    features = layers(torch.zeros(1, *SHAPE)).shape[1]
    return nn.Sequential(*layers, nn.BatchNorm1d(features), nn.Linear(features, 5))


def shuffled(m, y):
    """As ShuffleNets are written."""
    y = torch.transpose(y.view(-1, 2, 4, 6, 6), 1, 2).contiguous()
    return m.a(y.view(-1, 8, 6, 6))


TAKEN = {
    "norm of values": flat_norm(nn.ReLU()),
    "norm of values with a sign": flat_norm(),
    "norm of averages": flat_norm(nn.ReLU(), nn.AvgPool2d(2)),
    "norm of values in another order": Net(
        lambda m, y: m.b(m.a(y.flip(1).flatten(1))), nn.BatchNorm1d(288), nn.Linear(288, 5)
    ),
    "two norms of values": nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.Flatten(),
        nn.BatchNorm1d(288),
        nn.BatchNorm1d(288),
        nn.Linear(288, 5),
    ),
    "norm of pixels alone": Net(lambda m, y: m.b(m.a(y.mean((2, 3)))), nn.BatchNorm1d(8), nn.Linear(8, 5)),
    "contiguous channel shuffle": Net(shuffled, nn.Conv2d(8, 4, 3)),
    "turned and viewed": Net(
        lambda m, y: m.a(y.permute(0, 3, 2, 1).contiguous().view(-1, 288)), nn.Linear(288, 5)
    ),
    "mean of columns, of rows": Net(lambda m, y: m.a(y.relu().mean(3).mean(2)), nn.Linear(8, 5)),
    "mean of rows, of columns": Net(lambda m, y: m.a(y.mean(2).mean(2)), nn.Linear(8, 5)),
    "sum of columns, of rows": Net(lambda m, y: m.a(y.sum(3).sum(2)), nn.Linear(8, 5)),
    "means that keep axes": Net(lambda m, y: m.a(y.mean(3, True).mean(2, True)), nn.Conv2d(8, 4, 1)),
    "mean of columns, flattened": Net(lambda m, y: m.a(y.mean(3).flatten(1)), nn.Linear(48, 5)),
    "mean of pixels, channels last": Net(
        lambda m, y: m.a(y.permute(0, 2, 3, 1).mean((1, 2))), nn.Linear(8, 5), padding=1
    ),
}


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", TAKEN)
def test_it_computes_the_same(tmp_path, case, way):
    assert_taken(TAKEN[case], SHAPE, tmp_path / "net.onnx" if way == "onnx" else None)


def test_means_of_columns_and_rows_of_large_maps_are_those_of_all_pixels():
    """Which no fully connected layer takes as they are: two layers make them."""
    model = Net(lambda m, y: m.a(y.mean(3).mean(2)), nn.Linear(8, 5)).eval()
    network, found = convert(model, (3, 22, 22), name="net")
    images = torch.rand(2, 3, 22, 22)
    assert_same(found.eval()(images), model(images))
    assert len(network.layers) == 4


PER_VALUE = "8×6×6 that is not one number per channel"
TURNED = "with its channels last, as channels; leave the transposition"
REFUSED = {
    "ReLU behind a norm of values": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.BatchNorm1d(288), nn.ReLU(), nn.Linear(288, 5)),
        ("batch_norm in '2' (BatchNorm1d)", PER_VALUE),
    ),
    "norm of values at the end": (
        nn.Sequential(nn.Conv2d(3, 8, 3), nn.Flatten(), nn.BatchNorm1d(288)),
        ("batch_norm in '2' (BatchNorm1d)", PER_VALUE),
    ),
    "convolution behind a norm of values": (
        Net(
            lambda m, y: m.b(m.a(y.flatten(1)).view(-1, 8, 6, 6)),
            nn.BatchNorm1d(288),
            nn.Conv2d(8, 4, 3, 1, 1),
        ),
        ("batch_norm in 'a'", PER_VALUE),
    ),
    "norm of parts of channels": (
        Net(lambda m, y: m.b(m.a(y.view(-1, 16, 3, 6)).flatten(1)), nn.BatchNorm2d(16), nn.Linear(288, 5)),
        ("batch_norm in 'a'", "of 16×1×1 that is not one number per channel of the 16×3×6 map"),
    ),
    "pooling of channels": (
        Net(
            lambda m, y: m.a(F.avg_pool2d(y.permute(0, 2, 3, 1), 2).flatten(1)), nn.Linear(128, 5), padding=1
        ),
        ("avg_pool2d in Net", TURNED),
    ),
    "mean of channels by pooling": (
        Net(lambda m, y: F.adaptive_avg_pool2d(y.permute(0, 2, 3, 1), 1), padding=1),
        ("adaptive_avg_pool2d in Net", TURNED),
    ),
    "norm of rows": (
        Net(lambda m, y: m.a(y.permute(0, 2, 3, 1)), nn.BatchNorm2d(8), padding=1),
        ("batch_norm in 'a'", TURNED),
    ),
    "mean of columns for a convolution": (
        Net(lambda m, y: m.a(y.mean(3, keepdim=True)), nn.Conv2d(8, 4, 1), padding=8),
        ("mean in Net", "average pooling of 22×22 maps that is not of equal weights in windows"),
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_equivalent_is_refused(case):
    model, parts = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(stirred(model, 3).eval(), SHAPE, name="net")
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(("size", "pooled"), [(16, 6), (10, 4), (13, 5), (32, 7), (2, 7), (12, 5)])
def test_adaptive_pooling_of_uneven_windows_is_refused(size, pooled):
    """Whatever the sizes: those of torch where none divides the other."""
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.AdaptiveAvgPool2d(pooled), nn.Conv2d(4, 4, 3))
    with pytest.raises(UnsupportedNetwork, match=r"average pooling of .* not of equal weights"):
        convert(model, (1, size, size), name="net")
