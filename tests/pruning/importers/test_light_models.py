"""Files of other tools, the light models of the onnx package: all are taken, or refused for all reasons."""

import numpy as np
import onnx
import pytest
import torch

from hw.util.errors import UnsupportedNetwork
from pruning import fold_batch_norms_, from_onnx, quantise_, to_artifact
from sim.model import run
from tests.pruning.importers.converting import assert_same
from tests.pruning.importers.light_models import FOLDER, computed, path_of, randomised

LRN = "a local response normalisation divides by a power of what other channels hold"
BORDERS = "maps whose windows count fewer pixels at the borders, and a convolution has the same weights"

TAKEN = {"densenet121": 190, "resnet50": 55, "squeezenet": 29, "vgg19": 19}
"""Layers. Joined maps that are pooled take one more, and so do batch norms of maps that others read, too."""

REFUSED = {
    "bvlc_alexnet": [("LRN node 'n2', LRN node 'n6'", LRN)],
    "inception_v1": [("LRN node 'n3', LRN node 'n8'", LRN)],
    "inception_v2": [
        ("AveragePool node 'n65', AveragePool node 'n116'", f"average pooling of 28×28 {BORDERS}"),
        ("AveragePool node 'n204', ", f"average pooling of 14×14 {BORDERS}"),
        ("AveragePool node 'n445'", f"average pooling of 7×7 {BORDERS}"),
    ],
    "shufflenet": [
        (f"AveragePool node '{node}'", f"average pooling of {size}×{size} {BORDERS}")
        for node, size in (("n14", 56), ("n63", 28), ("n160", 14))
    ],
    "zfnet512": [("LRN node 'n2', LRN node 'n6'", LRN)],
}
"""All that is in the way: places and reasons."""


def test_these_are_all():
    assert {path.stem for path in FOLDER.glob("*.onnx")} == {f"light_{name}" for name in TAKEN | REFUSED}


@pytest.mark.parametrize("name", TAKEN | REFUSED)
def test_a_light_model_is_taken_or_refused_for_all_its_reasons(name):
    """Its weights, one number in the shape of a tensor, become a tensor each; 102,760,448 numbers of VGG."""
    if name in TAKEN:
        found = from_onnx(path_of(name))
        assert len(found.network.layers) == TAKEN[name] and found.network.input == (3, 224, 224)
        assert "Softmax" in found.note or name == "densenet121"
        return
    with pytest.raises(UnsupportedNetwork) as caught:
        from_onnx(path_of(name))
    said, reasons = str(caught.value), REFUSED[name]
    if len(reasons) > 1:
        assert said.startswith(f"{len(reasons)} things are in the way: (1) ")
    for places, reason in reasons:
        assert places in said and reason in said


SMALLER = {
    "densenet121": (32,),
    "resnet50": (32, {}, 1),
    "squeezenet": (64,),
    "vgg19": (32, {4096: 64, 25088: 512}),
}
"""Images, and what of the file follows from them or is smaller."""


@pytest.mark.parametrize("name", SMALLER)
def test_a_light_model_with_random_weights_computes_what_torch_does(tmp_path, name):
    assert SMALLER.keys() == TAKEN.keys()
    size, *others = SMALLER[name]
    same(tmp_path, randomised(name, size, *others), size)


@pytest.mark.slow
@pytest.mark.parametrize("name", TAKEN)
def test_a_light_model_of_full_size_computes_what_torch_does(tmp_path, name):
    same(tmp_path, randomised(name, 224, {4096: 512} if name == "vgg19" else {}), 224)


def same(folder, model, size):
    onnx.save(model, folder / "net.onnx")
    found = from_onnx(folder / "net.onnx")
    images = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        expected = computed(model, images).flatten(1)
        assert float(expected.std()) > 0.01
        assert_same(found.model.eval()(images).flatten(1), expected)


def test_integers_of_squeezenet_are_close_in_values(tmp_path):
    model = randomised("squeezenet", 32)
    onnx.save(model, tmp_path / "net.onnx")
    network, found = from_onnx(tmp_path / "net.onnx")
    images = torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        expected = torch.cat([computed(model, image[None] / 255) for image in images]).flatten(1).numpy()
        fold_batch_norms_(found.eval(), network)
        quantise_(found, network, images / 255)
        levels = run(to_artifact(found, network), images.numpy().astype(np.uint8)).reshape(expected.shape)
    scale = (levels * expected).sum() / (levels.astype(float) ** 2).sum()
    assert np.abs(levels * scale - expected).max() < 0.1 * expected.std() + 0.05 * np.abs(expected).max()
