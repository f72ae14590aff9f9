"""Kept words by hand: of a spectrum, of pixels, of groups, of one weight, and of what is only added."""

from dataclasses import replace

import numpy as np

from hw.contract.artifact import Artifact, random_artifact
from hw.contract.network import IMAGES, Conv, Dense, Network
from sim.report.words import words


def with_weights(artifact: Artifact, name: str, kept: np.ndarray) -> Artifact:
    """The artifact with ones where ``kept`` (out, in, words) says so in layer ``name``."""
    own = artifact.layers[name]
    weight = np.zeros_like(own.weight)
    weight[..., 0] = kept
    return replace(artifact, layers={**artifact.layers, name: replace(own, weight=weight)})


def test_words_and_kernels_of_a_convolution():
    artifact = random_artifact(Network("n", (2, 8, 8), (Conv("a", 2, 2, 3, padding=1),)), seed=1)
    kept = np.zeros((2, 2, 32), bool)
    kept[0, 0, :3] = kept[1, 1, :1] = True
    found = words(with_weights(artifact, "a", kept))["a"]
    assert found["grid"] == "spectrum"
    assert found["kept"] == [50.0, 25.0, 25.0, *[0.0] * 29]
    assert found["kernels"] == [2, 1, 0, 1, *[0] * 29]


def test_pixels_that_a_fully_connected_layer_has_not_are_none():
    """A map of 2×4 pixels: words 0 and 1, and 4 and 5 of the 32."""
    artifact = random_artifact(Network("n", (3, 2, 4), (Dense("d", 24, 2, relu=False),)), seed=1)
    kept = np.zeros((2, 3, 32), bool)
    kept[:, 0, 0] = kept[0, 1, 5] = True
    found = words(with_weights(artifact, "d", kept))["d"]
    assert found["grid"] == "pixels"
    assert [n for n, share in enumerate(found["kept"]) if share is not None] == [0, 1, 4, 5]
    assert (found["kept"][0], found["kept"][1], found["kept"][5]) == (33.33, 0.0, 16.67)
    assert found["kernels"][:3] == [3, 3, 0]


def test_groups_and_what_is_added_are_no_pruned_kernels():
    layers = (
        Conv("grouped", 4, 4, 3, padding=1, groups=4),
        Conv("sum", 4 + 4, 4, 3, padding=1, sources=("grouped", IMAGES), added=True),
        Conv("point", 4, 2, 1, pointwise=True),
    )
    found = words(random_artifact(Network("n", (4, 8, 8), layers), seed=2, kind="dense", weight_bits=16))
    assert sum(found["grouped"]["kernels"]) == 4 and found["grouped"]["kept"] == [100.0] * 32
    assert sum(found["sum"]["kernels"]) == 16 and found["sum"]["kept"] == [100.0] * 32
    assert found["point"]["grid"] == "weight" and len(found["point"]["kept"]) == 1
    assert sum(found["point"]["kernels"]) == 8
