"""Activations and maxima that no layer has, from layers that it has: other slopes, the larger of two maps."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert, fold_batch_norms_, quantise_, to_artifact
from sim.model import run
from tests.pruning.importers.converting import assert_taken, stirred

SHAPE = (3, 10, 10)


class Net(nn.Module):
    """``function`` of layers: two convolutions to 8 channels of 8×8, one behind them, a norm, a head."""

    shape = SHAPE

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(2)
        self.function = function
        self.one, self.two, self.last = nn.Conv2d(3, 8, 3), nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)
        self.wide, self.narrow = nn.Conv2d(16, 4, 3), nn.Conv2d(4, 4, 3)
        self.norm, self.head = nn.BatchNorm2d(8), nn.Linear(8, 5)
        self.slopes = nn.PReLU(8)
        with torch.no_grad():
            self.slopes.weight.copy_(torch.linspace(-0.5, 1.5, 8))

    def forward(self, x):
        return self.function(self, x)


def padded(m, x):
    return m.last(F.leaky_relu(F.pad(m.one(x), (1, 1, 1, 1)), 0.1))


def channels_last(m, x):
    return m.last(F.leaky_relu(m.one(x).permute(0, 2, 3, 1), 0.1).permute(0, 3, 1, 2))


def read_twice(m, x):
    y = m.one(x)
    return m.last(F.leaky_relu(y, 0.1)) + m.narrow(y[:, :4])


TAKEN = {
    "0.1, as of YOLO": lambda m, x: m.last(F.leaky_relu(m.one(x), 0.1)),
    "0.01, as of torch, behind a norm": lambda m, x: m.last(F.leaky_relu(m.norm(m.one(x)))),
    "in front of pooling": lambda m, x: m.last(F.max_pool2d(F.leaky_relu(m.one(x), 0.2), 2)),
    "behind averages": lambda m, x: m.last(F.leaky_relu(F.avg_pool2d(m.one(x), 2), 0.2)),
    "above one": lambda m, x: m.last(F.leaky_relu(m.one(x), 2.0)),
    "below zero": lambda m, x: m.last(F.leaky_relu(m.one(x), -0.5)),
    "by channel": lambda m, x: m.last(m.slopes(m.one(x))),
    "at the end": lambda m, x: F.leaky_relu(m.one(x), 0.1),
    "of scaled images": lambda m, x: m.one(F.leaky_relu(x * 2 - 1, 0.1)),
    "of padded maps": padded,
    "of maps with channels last": channels_last,
    "of a shuffled map": lambda m, x: m.last(F.leaky_relu(m.one(x).flip(1), 0.1)),
    "of a map that another layer reads": read_twice,
    "of a sum": lambda m, x: m.last(F.leaky_relu(m.one(x) + m.two(x), 0.1)),
    "of joined maps": lambda m, x: m.wide(F.leaky_relu(torch.cat([m.one(x), m.two(x)], 1), 0.1)),
    "of a flattened map": lambda m, x: m.head(F.leaky_relu(m.one(x).mean((2, 3)), 0.125)),
    "larger": lambda m, x: m.last(torch.maximum(m.one(x), m.two(x))),
    "smaller": lambda m, x: m.last(torch.minimum(m.one(x), m.two(x))),
    "larger, at the end": lambda m, x: torch.max(m.one(x), m.two(x)),
    "larger of what has no sign": lambda m, x: m.last(torch.max(m.one(x).relu(), m.two(x).relu())),
    "larger of a map and itself": lambda m, x: (lambda y: torch.max(y, y))(m.one(x)),
    "larger of two halves": lambda m, x: m.narrow(torch.max(*m.one(x).chunk(2, 1))),
    "larger of images and a map": lambda m, x: torch.max(x[:, :, 1:9, 1:9], m.one(x)[:, :3]),
    "largest of all pixels": lambda m, x: m.head(m.one(x).amax((2, 3))),
    "largest of all pixels, rows of them": lambda m, x: m.head(m.one(x).flatten(2).amax(2)),
    "largest of all pixels, kept": lambda m, x: m.norm(m.one(x).amax((2, 3), True)),
    "largest, with channels last": lambda m, x: m.head(m.one(x).permute(0, 2, 3, 1).amax((1, 2))),
    "adaptive pooling to a pixel": lambda m, x: m.head(F.adaptive_max_pool2d(m.one(x), 1).flatten(1)),
    "adaptive pooling to parts": lambda m, x: F.adaptive_max_pool2d(m.one(x), 2),
}


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", TAKEN)
def test_it_computes_the_same(tmp_path, case, way):
    assert_taken(Net(TAKEN[case]), SHAPE, tmp_path / "net.onnx" if way == "onnx" else None)


@pytest.mark.parametrize("case", ["0.1, as of YOLO", "by channel", "larger", "smaller"])
def test_integers_follow(case):
    """The integer model of what is made: within a twentieth of the largest value, as maps of 8 bits are."""
    model = stirred(Net(TAKEN[case]), 3).eval()
    network, found = convert(model, SHAPE, name="net")
    images = np.random.default_rng(1).integers(0, 256, (32, *SHAPE), np.uint8)
    floats = torch.from_numpy(images).float() / 255
    fold_batch_norms_(found.eval(), network)
    with torch.no_grad():
        expected = model(floats)
    quantise_(found, network, floats)
    artifact = to_artifact(found, network)
    given = run(artifact, images).reshape(len(images), -1).astype(float)
    wanted = expected.flatten(1).double().numpy()
    scale = (given * wanted).sum() / (given * given).sum()
    assert np.abs(given * scale - wanted).max() < 0.05 * np.abs(wanted).max()


def test_a_slope_that_a_layer_has_takes_no_other():
    for slope, layers in ((0.125, 2), (0.1, 4)):
        model = Net(lambda m, x, slope=slope: m.last(F.leaky_relu(m.one(x), slope)))
        assert len(convert(model, SHAPE, name="net").network.layers) == layers


REFUSED = {
    "features": (lambda m, x: m.head(m.one(x).mean((2, 3))).amax(1), "amax in Net: the hardware has no amax"),
    "channels": (lambda m, x: m.one(x).amax(1), "amax in Net: the hardware has no amax"),
    "rows": (lambda m, x: m.norm(m.one(x).amax(2, keepdim=True)), "amax in Net"),
    "uneven parts": (lambda m, x: F.adaptive_max_pool2d(m.one(x), 3), "maxima of 3×3 parts of 8×8 maps"),
    "a size that no pooling has": (
        lambda m, x: F.adaptive_max_pool2d(m.last(m.one(x)), 1),
        "max pooling of 6×6 with stride 6×6",
    ),
    "parts of channels": (
        lambda m, x: F.adaptive_max_pool2d(m.one(x).permute(0, 2, 3, 1), 1),
        "with its channels last",
    ),
    "a map and a number": (lambda m, x: m.last(torch.max(m.one(x), torch.tensor(0.5))), "only activation"),
    "larger of two sizes": (lambda m, x: torch.max(m.one(x), m.two(x).amax((2, 3), True)), "max in Net"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_equivalent_is_refused(case):
    function, sentence = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(Net(function), SHAPE, name="net")
    assert sentence in str(caught.value)
