"""Reordering channels: the same function, and more energy kept."""

import torch

from hw.contract.artifact import Sparsity
from hw.contract.network import tiny
from pruning import NetworkModel, sets, sort_channels_
from pruning.layers.word_layers import to_word_layers_


def test_the_network_stays_the_same(tiny_batch):
    """Convolution to convolution, map to vector (a channel is 20 features) and vector to vector."""
    model = NetworkModel(tiny())
    before, bias = model(tiny_batch), model.conv1.bias.clone()
    sort_channels_(model, tiny())
    torch.testing.assert_close(model(tiny_batch), before, rtol=0, atol=1e-6)
    assert not torch.equal(model.conv1.bias, bias)
    for name in ("conv1", "conv2", "fc1"):
        energy = model.get_submodule(name).weight.square().flatten(1).sum(1)
        assert torch.equal(energy, energy.sort(descending=True).values), name


def test_adaptive_sparsity_keeps_more_energy():
    """Half the channels of fc1 are weak, and scattered."""
    shares = []
    for ordered in (False, True):
        torch.manual_seed(3)
        model = NetworkModel(tiny())
        with torch.no_grad():
            model.fc1.weight[::2] *= 0.1
        if ordered:
            sort_channels_(model, tiny())
        layer = to_word_layers_(model, tiny())["fc1"]
        energy = layer.energy(layer.weight.detach())
        kept = energy * sets.mask(energy, Sparsity("adaptive", 2, 8, 8))
        shares.append(float(kept.sum() / energy.clamp(min=0).sum()))
    assert shares[1] > shares[0] + 0.1
