"""Artifacts back in torch: the integers are those they were, and the forward pass is that of the hardware."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from hw.contract.artifact import random_artifact
from hw.contract.network import IMAGES, Conv, Dense, Network
from pruning import to_artifact
from pruning.quant.from_artifact import from_artifact
from sim import model as integer_model
from tests.hw.gateware.programs import CASES

POINTWISE = Network(
    "points",
    (6, 9, 8),
    (
        Conv("a", 6, 8, 1, relu=False, pointwise=True),
        Conv("b", 14, 8, 1, stride=2, sources=(IMAGES, "a"), pointwise=True),
        Dense("c", 160, 10),
        Dense("d", 10, 7, relu=False),
    ),
)
"""Nothing of it is transformed, so that nothing is rounded otherwise; maps with and without a sign meet."""


def artifact_of(case: str, bits: int):
    network, _ = CASES[case]
    options = {"spectrum_bits": bits} if bits < 16 else {}
    made = random_artifact(network, seed=4, weight_bits=7, **options)
    return replace(made, score_scale=0.37 if network.layers[-1].dot else 1.0)


def images_of(network: Network, count: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (count, *network.input)).astype(np.uint8)


@pytest.mark.parametrize("bits", [16, 10])
@pytest.mark.parametrize("case", CASES)
def test_the_integers_are_those_of_the_artifact(case, bits):
    artifact = artifact_of(case, bits)
    again = to_artifact(from_artifact(artifact), artifact.network)
    for name, arrays in artifact.layers.items():
        for field in ("weight", "shift", "word_shift"):
            assert np.array_equal(getattr(again.layers[name], field), getattr(arrays, field)), (name, field)
        near = np.abs(again.layers[name].bias.astype(float) - arrays.bias) <= np.abs(arrays.bias) / 2**22
        assert near.all(), f"{name}: 32-bit floats hold 24 bits of a bias"


@pytest.mark.parametrize("bits", [16, 10])
@pytest.mark.parametrize("case", CASES)
def test_what_it_computes_is_close_to_the_integer_model(case, bits):
    artifact = artifact_of(case, bits)
    images = images_of(artifact.network, 3)
    expected = integer_model.run(artifact, images).reshape(3, -1)
    with torch.no_grad():
        found = from_artifact(artifact).double()(torch.from_numpy(images) / 255).reshape(3, -1).numpy()
    assert expected.std() > 10
    # Both round alike in front of a transform and behind it; a wrong step or bias is off by its whole.
    assert np.abs(found / artifact.score_scale - expected).max() < 0.2 * expected.std()


def test_without_a_transform_it_is_the_integer_model():
    artifact = replace(random_artifact(POINTWISE, seed=1), score_scale=0.25)
    images = images_of(POINTWISE, 20)
    expected = integer_model.run(artifact, images)
    with torch.no_grad():
        found = from_artifact(artifact).double()(torch.from_numpy(images) / 255)
    assert len(np.unique(expected)) > 20
    np.testing.assert_array_equal(found.numpy(), 0.25 * expected)


def test_gradients_reach_the_image():
    artifact = random_artifact(CASES["plain"][0], seed=4)
    images = (torch.from_numpy(images_of(artifact.network, 2)) / 255).requires_grad_()
    from_artifact(artifact)(images).square().sum().backward()
    assert images.grad is not None and bool((images.grad.abs() > 0).float().mean() > 0.5)
