"""Residual networks: as in the paper, prunable in the spectral domain, and accelerators by conversion."""

import pytest
import torch
from torch import nn

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import AdmmConfig, MagnitudeConfig, SpectralConv2d, convert, prune_modules_, resnet18, resnet20
from tests.pruning.importers.converting import assert_same, stirred

LAYERS = {"resnet18": (resnet18, 17, [3, 7], 11_689_512), "resnet20": (resnet20, 19, [3], 269_722)}


@pytest.mark.parametrize("name", LAYERS)
def test_layers_and_weights_are_those_of_the_paper(name):
    """Counts known from others' models; 1×1 projections do not count as layers there."""
    make, convolutions, _, weights = LAYERS[name]
    model = make()
    found = [m for m in model.modules() if isinstance(m, nn.Conv2d) and m.kernel_size != (1, 1)]
    assert len(found) == convolutions
    assert sum(p.numel() for p in model.parameters()) == weights


def test_maps_of_the_stages():
    sizes = []
    for model, size in ((resnet20(), 32), (resnet18(7), 64)):
        for stage in model.stages:
            stage.register_forward_hook(lambda _m, _x, y: sizes.append(tuple(y.shape[1:])))
        assert model(torch.zeros(2, 3, size, size)).shape == (2, model.fc.out_features)
    assert sizes[:3] == [(16, 32, 32), (32, 16, 16), (64, 8, 8)]
    assert sizes[3:] == [(64, 16, 16), (128, 8, 8), (256, 4, 4), (512, 2, 2)]


def test_a_shortcut_without_weights_passes_the_map_on():
    """With F at zero a block that changes the shape is subsampling and zeros."""
    block = resnet20().stages[1][0]
    nn.init.zeros_(block.norm2.weight)
    x = torch.rand(2, 16, 8, 8)
    y = block(x)
    assert torch.equal(y[:, :16], x[:, :, ::2, ::2]) and not y[:, 16:].any()


@pytest.mark.parametrize("name", LAYERS)
def test_the_spectral_form_computes_the_same(name):
    make, spectral, kernels, _ = LAYERS[name]
    model = stirred(make(), 4).eval()
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        expected = model(images)
        pruner = prune_modules_(model, MagnitudeConfig(None))
        assert_same(model(images), expected)
    assert len(pruner.layers) == spectral and not pruner.pruned
    assert sorted({layer.spec.kernel for layer in pruner.layers.values()}) == kernels


def test_admm_prunes_and_masks_hold():
    model = resnet20()
    pruner = prune_modules_(model, AdmmConfig(layers={"stem.0": None}))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.1)
    images, labels = torch.rand(4, 3, 32, 32), torch.arange(4)

    def train(steps):
        for _ in range(steps):
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(images), labels) + pruner.penalty()
            loss.backward()
            optimiser.step()

    train(2)
    before, rho = pruner.residuals()["stages.1.0.conv2"].primal, pruner.rho
    pruner.step()
    after = pruner.residuals()["stages.1.0.conv2"]
    assert pruner.rho > rho and after.dual > 0 and 0 < after.primal < before
    train(1)
    pruner.finalise()
    masks = {path: layer.mask.clone() for path, layer in pruner.layers.items()}
    train(2)
    for path, layer in pruner.layers.items():
        assert torch.equal(layer.mask, masks[path])
        assert layer.mask.float().mean() == (1 if path == "stem.0" else 0.25)
    with torch.no_grad():
        model.eval()
        scores = model(images)
        for layer in pruner.layers.values():
            layer.weight *= layer.mask[..., None]
        assert torch.equal(model(images), scores), "masked weights take no part"


def test_chosen_layers_only_and_once_more():
    """A model that is spectral already keeps its weights."""
    model = resnet20()
    names = ["stages.0.0.conv1", "stages.2.1.conv2"]
    pruner = prune_modules_(model, MagnitudeConfig(), names)
    assert list(pruner.layers) == names
    assert sum(isinstance(m, SpectralConv2d) for m in model.modules()) == 2
    again = prune_modules_(model)
    assert len(again.layers) == 19 and again.layers[names[0]] is pruner.layers[names[0]]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"names": ["stages.9"]}, ConfigError, "no module 'stages.9'"),
        ({"names": ["fc"]}, UnsupportedNetwork, "layer 'fc' is a Linear, not a convolution"),
        ({"names": ["stages.1"]}, UnsupportedNetwork, "layer 'stages.1' is a Sequential, not a convolution"),
        ({"config": AdmmConfig(layers={"fc": None})}, ConfigError, "no spectral convolution is called 'fc'"),
        ({"config": AdmmConfig(Sparsity("filter", 1, 2))}, ConfigError, "filter sparsity removes channels"),
    ],
)
def test_what_cannot_be_pruned_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        prune_modules_(resnet20(), **options)


@pytest.mark.parametrize(("make", "size"), [(resnet20, 32), (resnet18, 64)])
def test_accelerators_are_made_of_them(make, size):
    """As networks with branches; one that is in the spectral domain already is refused."""
    model = stirred(make(), 4).eval()
    converted = convert(model, (3, size, size))
    assert sum(layer.added for layer in converted.network.layers) == (9 if make is resnet20 else 8)
    images = torch.rand(2, 3, size, size)
    with torch.no_grad():
        assert_same(converted.model.eval()(images), model(images))
    prune_modules_(model)
    with pytest.raises(UnsupportedNetwork, match=r"'stem\.0' \(SpectralConv2d\): .*spectral form already"):
        convert(model, (3, size, size))
