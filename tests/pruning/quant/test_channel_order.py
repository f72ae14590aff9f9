"""Reordering channels: the same function, and more energy kept."""

import torch

from hw.contract.artifact import Sparsity
from hw.contract.network import Conv, Dense, Network, tiny
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


GRAPH = Network(
    "graph",
    (2, 9, 11),
    (
        Conv("stem", 2, 6, 3, padding=1),
        Conv("left", 6, 8, 1, pointwise=True),
        Conv("right", 6, 8, 3, padding=1, sources=("stem",)),
        Conv("joined", 16, 7, 1, pointwise=True, sources=("left", "right")),
        Conv("inner", 7, 5, 3, padding=1, relu=False),
        Conv("sum", 12, 7, 1, added=True, pointwise=True, sources=("inner", "joined")),
        Conv("apart", 7, 7, 3, padding=1, groups=7),
        Dense("fc", 7 * 99, 5, relu=False),
    ),
)


@torch.no_grad()
def test_a_graph_stays_the_same_and_only_channels_of_one_reader_move(tiny_batch):
    """Side by side with others, too, but not where they are added, read twice or in groups."""
    model = NetworkModel(GRAPH, batch_norm=True).train()
    model(tiny_batch)
    model.eval()
    for value in model.parameters():
        value += 0.1 * torch.rand_like(value)
    before = model(tiny_batch)
    norms = {
        layer.name: model.get_submodule(f"{layer.name}_norm").weight.clone() for layer in GRAPH.layers[:-1]
    }
    sort_channels_(model, GRAPH)
    torch.testing.assert_close(model(tiny_batch), before)
    moved = [
        name
        for name, weight in norms.items()
        if not torch.equal(weight, model.get_submodule(f"{name}_norm").weight)
    ]
    assert moved == ["left", "right", "inner"]


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
