"""Random models that are chains, for the tests of both importers."""

from pathlib import Path

import torch
from hypothesis import strategies as st
from torch import nn

from pruning import convert, fold_batch_norms_, from_onnx
from tests.pruning.importers.onnx_graphs import export


class Chained(nn.Sequential):
    """A chain and the shape of its images."""

    def __init__(self, shape, *modules):
        super().__init__(*modules)
        self.shape = shape


@st.composite
def chains(draw, largest=17, averages=(1, 2, 7)) -> Chained:
    """Convolutions, then perhaps fully connected layers, with everything that may stand between them."""
    side = st.integers(6, largest)
    channels, height, width = draw(st.tuples(st.integers(1, 3), side, side))
    shape, modules = (channels, height, width), []
    for _ in range(draw(st.integers(1, 3))):
        kernel = draw(st.integers(1, min(7, height, width)))
        padding = draw(st.integers(0, min(2, kernel - 1)))
        out = draw(st.integers(1, 5))
        modules.append(nn.Conv2d(channels, out, kernel, padding=padding, bias=draw(st.booleans())))
        channels, height, width = out, height + 2 * padding - kernel + 1, width + 2 * padding - kernel + 1
        if draw(st.booleans()):
            modules.append(nn.BatchNorm2d(channels, affine=draw(st.booleans())))
        after = draw(st.permutations([nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(), nn.Identity()]))
        for module in after[: draw(st.integers(0, 4))]:
            if isinstance(module, nn.MaxPool2d):
                if min(height, width) < 2:
                    continue
                height, width = height // 2, width // 2
            modules.append(module)
    if draw(st.booleans()) and max(height, width) <= 8:
        average = draw(st.sampled_from([None, *averages]))
        if average is not None:
            modules.append(nn.AdaptiveAvgPool2d(average))
            height = width = average
        modules.append(nn.Flatten())
        features = channels * height * width
        for last in [False] * draw(st.integers(0, 1)) + [True]:
            out = draw(st.integers(1, 70))
            modules.append(nn.Linear(features, out, bias=draw(st.booleans())))
            features = out
            if draw(st.booleans()):
                modules.append(nn.BatchNorm1d(features))
            if not last:
                modules += draw(st.sampled_from([[], [nn.ReLU()], [nn.ReLU(), nn.Dropout()]]))
    return stirred(Chained(shape, *modules), draw(st.integers(0, 2**16)))


def stirred(model: nn.Module, seed: int) -> nn.Module:
    """``model`` with random numbers in place of what new batch norms hold; factors of both signs."""
    generator = torch.Generator().manual_seed(seed)
    for norm in model.modules():
        if isinstance(norm, nn.modules.batchnorm._BatchNorm):
            norm.running_mean.uniform_(-1, 1, generator=generator)
            norm.running_var.uniform_(0.2, 2, generator=generator)
            if norm.affine:
                nn.init.uniform_(norm.weight, -2, 2, generator=generator)
                nn.init.uniform_(norm.bias, -1, 1, generator=generator)
    return model


def assert_taken(model: nn.Module, shape: tuple[int, ...], file: Path | None = None) -> None:
    """What becomes of ``model``, or of the ONNX file that is written of it, computes the same, with its batch
    norms and with them folded."""
    model = stirred(model, 3).eval()
    if file is None:
        network, found = convert(model, shape, name="net")
    else:
        model.shape = shape
        network, found = from_onnx(export(model, file))
    images = torch.rand(2, *shape)
    with torch.no_grad():
        assert_same(found.eval()(images).flatten(1), model(images).flatten(1))
        fold_batch_norms_(found, network)
        assert_same(found(images).flatten(1), model(images).flatten(1))


def assert_same(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Equal to the rounding of sums of float32."""
    size = float(expected.detach().abs().max())
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=2e-5 * max(size, 1e-3))
