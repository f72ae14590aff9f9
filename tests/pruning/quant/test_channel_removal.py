"""Channels nobody reads disappear, and no integer changes."""

from dataclasses import replace

import numpy as np
import pytest

from hw.contract.artifact import load, random_artifact
from hw.contract.network import Conv, Dense, Network
from pruning.quant.channel_removal import drop_channels
from sim import model

NETWORK = Network(
    "three",
    (2, 12, 12),
    (
        Conv("conv1", 2, 9, 3, padding=1, pool=2),
        Conv("conv2", 9, 10, 3, padding=1, relu=False),
        Conv("conv3", 10, 6, 3),
        Dense("fc1", 6 * 16, 70),
        Dense("fc2", 70, 5, relu=False),
    ),
)
IMAGES = np.random.default_rng(3).integers(0, 256, (4, 2, 12, 12), np.uint8)


def unread(**channels):
    """A random artifact in which the named layers do not read those input channels."""
    made = random_artifact(NETWORK, seed=2)
    for name, which in channels.items():
        made.layers[name].weight[:, which] = 0
    return made


def widths(artifact):
    return [layer.out_channels for layer in artifact.network.layers if isinstance(layer, Conv)]


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ({}, [9, 10, 6]),
        ({"conv2": [0, 4]}, [7, 10, 6]),
        ({"conv3": [9]}, [9, 9, 6]),
        ({"fc1": [1, 2, 3]}, [9, 10, 3]),
        ({"conv2": [1], "conv3": [0, 1, 2], "fc1": [5]}, [8, 7, 5]),
        ({"conv3": list(range(10))}, [9, 1, 6]),
    ],
)
def test_every_score_is_the_same_integer(channels, expected):
    before = unread(**channels)
    after = drop_channels(before)
    assert widths(after) == expected
    assert after.network.layers[3].in_features == expected[2] * 16
    assert np.array_equal(model.run(after, IMAGES), model.run(before, IMAGES))
    assert model.run(before, IMAGES).any()
    assert after.pruned_from == NETWORK
    assert (after is before) == (not channels)


def test_the_whole_network_is_remembered_through_a_file_and_another_turn(tmp_path):
    once = drop_channels(unread(conv2=[0, 4]))
    once.layers["fc1"].weight[:, 2] = 0
    drop_channels(once).save(tmp_path / "model.npz")
    twice = load(tmp_path / "model.npz")
    assert widths(twice) == [7, 10, 5] and widths(once) == [7, 10, 6]
    assert twice.pruned_from == NETWORK


def test_what_only_fed_dropped_channels_goes_as_well():
    made = unread(conv3=[0, 1, 2, 3, 4])
    made.layers["conv2"].weight[5:, 6:] = 0  # outputs that stay do not read channels 6 to 8
    assert widths(drop_channels(made)) == [6, 5, 6]


def test_outputs_of_a_last_convolution_stay():
    made = random_artifact(replace(NETWORK, layers=NETWORK.layers[:2]), seed=2)
    made.layers["conv2"].weight[3] = 0
    assert widths(drop_channels(made)) == [9, 10]


def test_a_dead_channel_that_is_read_stays():
    """Its bias is a constant the next layer sees, but for the zeros around the map."""
    made = unread()
    made.layers["conv1"].weight[4] = 0
    assert widths(drop_channels(made)) == [9, 10, 6]


IN_GROUPS = (
    Conv("first", 2, 8, 3, padding=1),
    Conv("depthwise", 8, 8, 3, padding=1, groups=8),
    Conv("pointwise", 8, 6, 1),
    Conv("last", 6, 4, 3),
)
AS_POINTS = (*IN_GROUPS[:2], replace(IN_GROUPS[2], pointwise=True), Conv("last", 6, 4, 1, pointwise=True))
LARGE_MAP = (Conv("first", 2, 8, 3, padding=1), Dense("fc", 8 * 144, 5, relu=False))


@pytest.mark.parametrize(
    ("layers", "expected"), [(IN_GROUPS, [8, 8, 5, 4]), (AS_POINTS, [8, 8, 4, 4]), (LARGE_MAP, [8])]
)
def test_channels_that_lie_otherwise_than_they_are_read_stay(layers, expected):
    """Those that a layer in groups makes or reads, and those of a map that is seen in parts; others go."""
    made = random_artifact(Network("groups", (2, 12, 12), layers), seed=2)
    for reader in layers[1:]:
        made.layers[reader.name].weight[:, 2] = 0
    smaller = drop_channels(made)
    assert widths(smaller) == expected
    np.testing.assert_array_equal(model.run(smaller, IMAGES), model.run(made, IMAGES))
