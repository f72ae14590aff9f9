"""A pointwise layer: the convolution that it stands for, one word for each pair of channels, any pooling."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from hw.contract.artifact import Sparsity
from hw.contract.network import Conv, Dense, Network
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import AdmmConfig, MagnitudeConfig, NetworkModel, PointwiseConv2d, patterns, prune_, summary
from pruning.layers.word_layers import to_word_layers_

WIDE = Network(
    "wide",
    (4, 9, 11),
    (
        Conv("stem", 4, 16, 3, padding=1),
        Conv("point", 16, 24, 1, pointwise=True),
        Dense("fc", 24 * 99, 5, relu=False),
    ),
)


@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"groups": 2}, {"bias": False, "groups": 6}])
def test_it_is_the_convolution_with_one_word_for_each_pair_of_channels(options):
    conv = nn.Conv2d(6, 12, 1, **options)
    layer = PointwiseConv2d.from_conv(conv)
    x = torch.randn(2, 6, 7, 8)
    torch.testing.assert_close(layer(x), conv(x))
    words = layer.words(layer.weight)
    assert words.shape == (12, 6, 1, 2) and not words[..., 1].any()
    assert torch.equal(words[..., 0].abs() > 0, layer.mask)
    assert int(layer.mask.sum()) == 12 * 6 // options.get("groups", 1)
    assert torch.equal(layer.energy(layer.weight) >= 0, layer.mask)


def test_masked_words_take_no_part_and_get_no_gradient():
    layer = PointwiseConv2d.from_conv(nn.Conv2d(3, 2, 1))
    layer.mask[1, 2] = False
    layer(torch.ones(1, 3, 4, 4)).sum().backward()
    assert (layer.weight.grad[..., 0] == 0).nonzero().tolist() == [[1, 2, 0]]
    x = torch.randn(1, 3, 4, 4)
    assert torch.equal(layer(x)[:, 1], layer(x * torch.tensor([1.0, 1, 0]).view(3, 1, 1))[:, 1])


def test_a_larger_kernel_is_refused():
    with pytest.raises(
        UnsupportedNetwork, match="'big': a pointwise convolution has a kernel of 1×1, not 3×3"
    ):
        PointwiseConv2d.from_conv(nn.Conv2d(3, 2, 3), name="big")


POOLS = [
    {"pool": 2},
    {"pool": 2, "pool_size": 3},
    {"pool": 2, "pool_size": 3, "pool_padding": 1, "pool_end_padding": 0},
    {"pool": 1, "pool_size": 3, "pool_padding": 1, "pool_end_padding": 1},
    {"stride": 2, "relu": False},
    {"clip": 0.1},
]


@pytest.mark.parametrize("fields", POOLS)
def test_pooling_strides_and_clips_are_those_of_the_plain_model(fields):
    point = replace(WIDE.layers[1], **fields)
    network = Network("pooled", WIDE.input, (WIDE.layers[0], point))
    model = NetworkModel(network)
    x = torch.randn(2, *network.input)
    with torch.no_grad():
        expected = model(x)
        layer = to_word_layers_(model, network)["point"]
        torch.testing.assert_close(model(x), expected)
    assert isinstance(layer, PointwiseConv2d) and tuple(expected.shape[1:]) == network.maps[-1]
    assert to_word_layers_(model, network)["point"] is layer


def test_a_layer_with_a_transform_is_not_taken_for_one_without():
    model = NetworkModel(WIDE)
    to_word_layers_(model, WIDE)
    other = replace(WIDE, layers=(WIDE.layers[0], replace(WIDE.layers[1], pointwise=False), WIDE.layers[2]))
    with pytest.raises(UnsupportedNetwork, match="layer 'point' is"):
        to_word_layers_(model, other)


# --- pruning -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "scheme", ["adaptive", "uniform", "unstructured", "block", "darb", "column", "filter"]
)
def test_masks_have_the_pattern(scheme):
    model = NetworkModel(WIDE)
    chosen = patterns.quarter(scheme, 8)
    prune_(model, WIDE, MagnitudeConfig(None, {"point": chosen})).finalise()
    mask = model.point.mask[..., 0]
    assert mask.shape == (24, 16) and 0.15 < mask.float().mean() <= (0.5 if scheme == "filter" else 0.25)
    groups = mask.view(24, 2, 8)
    if scheme == "uniform":
        assert (groups.sum(2) == 2).all()
    if scheme == "adaptive":  # the rows of a block are alike in number
        assert all(len(set(block.sum(2)[:, g].tolist())) == 1 for block in groups.split(8) for g in (0, 1))
    if scheme == "block":
        assert all((block == block[0]).all() for block in mask.split(8))
    if scheme == "column":
        assert (mask == mask[0]).all()
    if scheme == "filter":
        assert sorted(mask.sum(1).tolist()) == [0] * 12 + [16] * 12


def test_admm_pulls_to_the_set_and_holds_it():
    model = NetworkModel(WIDE)
    pruner = prune_(model, WIDE, AdmmConfig(None, {"point": patterns.parse("adaptive-2:8")}, rho=1.0))
    layer, images = model.point, torch.rand(4, *WIDE.input)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    before = pruner.residuals()["point"].primal
    for _ in range(5):
        for _ in range(10):
            optimiser.zero_grad()
            (model(images).square().mean() + pruner.penalty()).backward()
            optimiser.step()
        pruner.step()
    assert pruner.residuals()["point"].primal < 0.6 * before
    pruner.finalise()
    mask = layer.mask.clone()
    optimiser.zero_grad()
    model(images).square().mean().backward()
    optimiser.step()
    assert mask.float().mean() == 0.25 and not layer.weight.grad[~mask].any()


@pytest.mark.parametrize("scheme", ["kernel", "pattern"])
def test_sets_among_the_words_of_a_kernel_are_refused_and_recipes_take_another(scheme):
    config = MagnitudeConfig(patterns.quarter(scheme), {"fc": None})
    with pytest.raises(ConfigError, match=f"'point': {scheme} sparsity chooses among the words of a kernel"):
        prune_(NetworkModel(WIDE), WIDE, config)
    assert patterns.pointwise(f"{scheme}-1:8", 16) == Sparsity("adaptive", 1, 8, 16)
    assert patterns.pointwise("uniform", 16) == patterns.quarter("uniform", 16)


def test_the_summary_counts_weights_and_the_clocks_of_a_tile():
    model = NetworkModel(WIDE)
    prune_(model, WIDE, MagnitudeConfig(None, {"point": patterns.parse("uniform-1:8")})).finalise()
    found = {layer.name: layer for layer in summary(model, WIDE)}["point"]
    assert (found.words, found.kept) == (24 * 16, 24 * 2)
    assert (found.dense_steps, found.steps) == (3 * 32 * 16, 3 * 32 * 2)
