"""What a network ends in and the hardware does not do: all of it is named, and what follows it and is no end
is refused for what it is."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert, from_onnx
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.onnx_graphs import export

SHAPE = (3, 8, 8)


class Net(nn.Module):
    """``function`` of a network of two layers, of its layers and of images."""

    shape = SHAPE

    def __init__(self, function):
        super().__init__()
        torch.manual_seed(6)
        self.function = function
        self.one, self.two = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1)
        self.head, self.gate = nn.Linear(6, 5), nn.Linear(6, 6)

    def body(self, x):
        return self.head(F.relu(self.one(x)).mean((2, 3)))

    def forward(self, x):
        return self.function(self, x)


def of(end):
    """The network of ``end``, a function of scores, and that function."""
    return lambda m, x: end(m.body(x))


ENDS = {
    "normalised": (
        F.normalize,
        "linalg_vector_norm, clamp_min, expand_as, div",
        "ReduceL2, Clip, Expand, Div",
    ),
    "normalised and scaled": (
        lambda y: 16 * F.normalize(y),
        "linalg_vector_norm, clamp_min, expand_as, div, mul",
        "ReduceL2, Clip, Expand, Div, Mul",
    ),
    "by its norm": (
        lambda y: y / y.norm(dim=1, keepdim=True),
        "linalg_vector_norm, div",
        "ReduceL2, Div",
    ),
    "by a norm by hand": (
        lambda y: y / torch.sqrt((y**2).sum(1, keepdim=True) + 1e-10),
        "pow, sum, add, sqrt, div",
        "Pow, ReduceSum, Add, Sqrt, Div",
    ),
    "softmax by hand": (
        lambda y: torch.exp(y) / torch.exp(y).sum(1, keepdim=True),
        "exp, sum, div",
        "Exp, ReduceSum, Div",
    ),
    "one probability": (lambda y: torch.softmax(y, 1)[:, 1], "softmax, select", "Softmax, Gather"),
    "half of the probabilities": (
        lambda y: torch.softmax(y, 1).split([2, 3], 1)[1],
        "softmax, split_with_sizes",
        "Softmax, Split",
    ),
    "one after the other": (
        lambda y: ((torch.sigmoid(y) * 2 + 1) * 3 + 2) * 5,
        "sigmoid, mul, add, mul, add, mul",
        "Sigmoid, Mul, Add, Mul, Add, Mul",
    ),
    "three times": (
        lambda y: torch.sigmoid(torch.sigmoid(torch.sigmoid(y))),
        "sigmoid, sigmoid, sigmoid",
        "Sigmoid, Sigmoid, Sigmoid",
    ),
    "one score": (lambda y: y[:, 0] * 2, "select, mul", "Gather, Mul"),
    "the two largest": (
        lambda y: torch.softmax(y, 1).topk(2, 1)[1],
        "softmax, topk",
        "Softmax, TopK",
    ),
    "in other units": (lambda y: 100 * torch.sigmoid(y) - 2, "sigmoid, mul, sub", "Sigmoid, Mul, Sub"),
    "steering": (lambda y: 2 * torch.atan(y), "atan, mul", "Atan, Mul"),
    "positive": (lambda y: F.softplus(y) + 1e-3, "softplus, add", "Softplus, Add"),
}  # fmt: skip


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", ENDS)
def test_an_end_is_left_to_the_host_whole(tmp_path, case, way):
    end, *expected = ENDS[case]
    model = Net(of(end)).eval()
    if way == "torch":
        found = convert(model, SHAPE)
    else:
        found = from_onnx(export(model, tmp_path / "net.onnx"))
    assert [name.split(" ")[0] for name in found.host] == expected[way == "onnx"].split(", ")
    images = torch.randint(0, 256, (4, *SHAPE)) / 255
    with torch.no_grad():
        assert_same(end(found.model.eval()(images)), model(images))


def swish(m, x):
    y = m.one(x)
    return m.two(y * torch.sigmoid(y))


def squeezed(m, x):
    y = m.one(x)
    return m.two(y * torch.sigmoid(m.gate(y.mean((2, 3))))[:, :, None, None])


REFUSED = {
    "swish": (swish, "the only activation the hardware has is ReLU"),
    "a gate of another map": (squeezed, "with other maps (gates, attention)"),
    "a gate at the end": (
        lambda m, x: m.one(x) * torch.sigmoid(m.gate(m.one(x).mean((2, 3))))[:, :, None, None],
        "with other maps (gates, attention)",
    ),
    "a gate of means around": (
        lambda m, x: (lambda y: y * torch.sigmoid(F.avg_pool2d(y, 3, 1, 1)))(m.one(x)),
        "with other maps (gates, attention)",
    ),
    "a gate that was moved": (
        lambda m, x: (lambda y: torch.sigmoid(F.pad(y, (1, 0, 1, 0))) * F.pad(y, (0, 1, 0, 1)))(m.one(x)),
        "with other maps (gates, attention)",
    ),
    "a gate that was turned": (
        lambda m, x: (lambda y: torch.sigmoid(y.permute(0, 2, 3, 1)) * y)(m.one(x[:, :, :6, :6])),
        "with other maps (gates, attention)",
    ),
    "a gate of scaled scores": (
        lambda m, x: (lambda v: torch.sigmoid(v) * (v * torch.linspace(0.5, 2, 384)))(m.one(x).flatten(1)),
        "with other maps (gates, attention)",
    ),
    "a gate of other channels": (
        lambda m, x: (lambda y: y[:, :3] * torch.sigmoid(y[:, 3:]))(m.one(x)),
        "with other maps (gates, attention)",
    ),
    "squares between layers": (lambda m, x: m.two(m.one(x) ** 2), "the hardware has no arithmetic between"),
    "norms between layers": (lambda m, x: m.two(F.normalize(m.one(x))), "differs from image to image"),
    "two maps": (lambda m, x: torch.exp(m.one(x)) + m.two(m.one(x)), "the hardware has no"),
}


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_end_is_refused(tmp_path, case, way):
    function, sentence = REFUSED[case]
    model = Net(function).eval()
    with pytest.raises(UnsupportedNetwork) as caught:
        if way == "torch":
            convert(model, SHAPE)
        else:
            from_onnx(export(model, tmp_path / "net.onnx"))
    assert sentence in str(caught.value)
