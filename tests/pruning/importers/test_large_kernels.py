"""Kernels above the largest that the hardware has, in halves: what they read is there once for every part."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from hw.util.errors import UnsupportedNetwork
from pruning import convert, fold_batch_norms_, quantise_, to_artifact
from pruning.importers.hardware import MOST_HALVED
from sim.model import run
from sim.model.accelerator import maps
from tests.pruning.importers.converting import assert_taken, stirred

SHAPE = (3, 16, 18)


def behind(*modules, channels=6):
    return nn.Sequential(nn.Conv2d(3, channels, 3, padding=1), nn.ReLU(), *modules)


TAKEN = {
    "of images": lambda: nn.Sequential(nn.Conv2d(3, 4, 9, padding=4), nn.ReLU(), nn.Conv2d(4, 2, 5)),
    "of images, valid": lambda: nn.Conv2d(3, 4, 10),
    "of maps": lambda: behind(nn.Conv2d(6, 4, 9, padding=4), nn.BatchNorm2d(4), nn.ReLU()),
    "of maps with a sign": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 8, padding=3)),
    "depthwise": lambda: behind(nn.Conv2d(8, 8, 9, padding=4, groups=8), nn.ReLU(), channels=8),
    "in groups": lambda: behind(nn.Conv2d(8, 16, 9, padding=4, groups=4), channels=8),
    "in two groups": lambda: behind(nn.Conv2d(8, 4, 9, padding=4, groups=2), channels=8),
    "a column": lambda: behind(nn.Conv2d(6, 4, (9, 1), padding=(4, 0))),
    "a row": lambda: behind(nn.Conv2d(6, 4, (3, 11), padding=(1, 5))),
    "dilated": lambda: behind(nn.Conv2d(6, 4, 3, padding=4, dilation=4)),
    "with a stride": lambda: behind(nn.Conv2d(6, 4, 15, padding=7, stride=2)),
    "padded unevenly": lambda: behind(nn.Conv2d(6, 4, 10, padding="same")),
    "padded unevenly twice": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 8, padding="same"), nn.ReLU(), nn.Conv2d(4, 4, 12, padding="same")
    ),
    "then pooling": lambda: behind(nn.Conv2d(6, 4, 9, padding=4), nn.ReLU(), nn.MaxPool2d(2)),
    "then all pixels": lambda: behind(nn.Conv2d(6, 4, 9), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 8 * 10, 5)),
}  # fmt: skip


@pytest.mark.parametrize("way", ["torch", "onnx"])
@pytest.mark.parametrize("case", TAKEN)
def test_it_computes_the_same(tmp_path, case, way):
    torch.manual_seed(4)
    assert_taken(TAKEN[case](), SHAPE, tmp_path / "net.onnx" if way == "onnx" else None)


@pytest.mark.parametrize("side", range(8, MOST_HALVED + 1))
def test_every_size_with_every_padding_up_to_half_of_it(side):
    torch.manual_seed(side)
    for padding in range(side // 2 + 1):
        assert_taken(behind(nn.Conv2d(6, 2, side, padding=padding)), SHAPE)


class Residual(nn.Module):
    """ConvMixer's: what a kernel of 9×9 reads, another layer reads as well."""

    def __init__(self):
        super().__init__()
        self.first, self.wide = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 9, padding=4, groups=8)
        self.norm, self.last = nn.BatchNorm2d(8), nn.Conv2d(8, 4, 1)

    def forward(self, x):
        x = F.relu(self.first(x))
        return self.last(self.norm(F.relu(self.wide(x))) + x)


def test_a_map_that_another_layer_reads_and_images_with_mean_and_deviation():
    assert_taken(Residual(), SHAPE)
    model = stirred(nn.Sequential(nn.Conv2d(3, 4, 9, padding=4), nn.ReLU()), 1).eval()
    mean, std = (0.4, 0.5, 0.3), (0.2, 0.3, 0.25)
    _, found = convert(model, SHAPE, mean=mean, std=std)
    images = torch.randint(0, 256, (2, *SHAPE)) / 255
    scaled = (images - torch.tensor(mean).view(-1, 1, 1)) / torch.tensor(std).view(-1, 1, 1)
    with torch.no_grad():
        torch.testing.assert_close(found.eval()(images), model(scaled), rtol=1e-4, atol=1e-5)


def test_what_is_moved_stays_what_it_is():
    """To two of 255: spectra of a pixel that moves are roots of unity, of 8 bits each."""
    torch.manual_seed(5)
    model = behind(nn.Conv2d(6, 4, 9, padding=4)).eval()
    network, found = convert(model, SHAPE, name="net")
    images = np.random.default_rng(1).integers(0, 256, (8, *SHAPE), np.uint8)
    floats = torch.from_numpy(images).float() / 255
    with torch.no_grad():
        expected = model(floats).flatten(1).double().numpy()
    fold_batch_norms_(found.eval(), network)
    quantise_(found, network, floats)
    artifact = to_artifact(found, network)
    first, moved, _ = maps(artifact, images)
    assert moved.shape == (8, 6 * 4, 16 + 4, 18 + 4)  # rows and columns that windows of 5×5 need
    around = np.pad(first, ((0, 0), (0, 0), (4, 5), (4, 5)))
    for part, (row, column) in enumerate([(0, 0), (0, 5), (5, 0), (5, 5)]):
        wanted = around[:, :, row : row + 20, column : column + 22].astype(int)
        assert np.abs(moved[:, part::4] - wanted).max() <= 2
    given = run(artifact, images).reshape(len(images), -1).astype(float)
    scale = (given * expected).sum() / (given * given).sum()
    assert np.abs(given * scale - expected).max() < 0.03 * np.abs(expected).max()


REFUSED = {
    "larger than twice the half": (nn.Conv2d(6, 4, 13, padding=6), "a kernel of 13×13"),
    "dilated": (nn.Conv2d(6, 4, 3, padding=6, dilation=6), "a kernel of 13×13"),
    "padded by more than half of it": (nn.Conv2d(6, 4, 9, padding=7), "a kernel of 9×9"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_two_halves_do_not_do_is_refused(case):
    module, sentence = REFUSED[case]
    with pytest.raises(UnsupportedNetwork) as caught:
        convert(behind(module), SHAPE)
    assert sentence in str(caught.value)
    assert f"at most {MOST_HALVED}×{MOST_HALVED}, padded by at most half of it" in str(caught.value)
