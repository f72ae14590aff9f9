"""LSTMs and GRUs: every matrix reaches its set and stays there, and the layer computes what its zeros say."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import prune_recurrent_, sets
from pruning.layers.recurrent import RecurrentMatrix, make_permanent_, matrices
from pruning.optimisers import CONFIGS, AdmmConfig, MagnitudeConfig

QUARTER = {
    "block": Sparsity("block", 1, 4, 4),
    "uniform": Sparsity("uniform", 2, 8),
    "adaptive": Sparsity("adaptive", 2, 8, 4),
    "unstructured": Sparsity("unstructured", 1, 4),
}


def model(kind=nn.LSTM, **options):
    torch.manual_seed(3)
    return nn.ModuleDict({"read": kind(16, 12, batch_first=True, **options), "end": nn.Linear(12, 2)})


def loss(net, x):
    return net["end"](net["read"](x)[0][:, -1]).square().mean()


def trained(net, pruner, epochs=3):
    x = torch.randn(8, 5, 16)
    optimiser = torch.optim.Adam(net.parameters(), lr=0.01, weight_decay=0.1)
    for _ in range(epochs):
        for _ in range(3):
            optimiser.zero_grad()
            (loss(net, x) + pruner.penalty()).backward()
            optimiser.step()
        pruner.step()
    return optimiser, x


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("kind", QUARTER)
@pytest.mark.parametrize("layer", [nn.LSTM, nn.GRU])
def test_every_matrix_is_in_its_set_and_stays_there(layer, kind, name):
    net = model(layer, num_layers=2)
    pruner = prune_recurrent_(net, CONFIGS[name](QUARTER[kind]))
    assert set(pruner.pruned) == {f"read.weight_{part}_l{i}" for part in ("ih", "hh") for i in (0, 1)}
    optimiser, x = trained(net, pruner)
    pruner.finalise()
    held = {n: getattr(net["read"], n).detach() != 0 for n in matrices(net["read"])}
    for path, kept in held.items():
        assert 0.15 < kept.float().mean() <= 0.25 + 1e-6, path
        energy = getattr(net["read"], path).detach().square()[..., None]
        assert sets.mask(energy, QUARTER[kind])[..., 0][kept].all()
    for _ in range(3):  # momentum and weight decay of pruned weights move nothing
        optimiser.zero_grad()
        loss(net, x).backward()
        optimiser.step()
    for path, kept in held.items():
        assert not getattr(net["read"], path)[~kept].any()


def test_blocks_lose_the_same_columns():
    net = model()
    prune_recurrent_(net, MagnitudeConfig(QUARTER["block"])).finalise()
    for path in matrices(net["read"]):
        kept = (getattr(net["read"], path) != 0).reshape(-1, 4, getattr(net["read"], path).shape[1])
        assert (kept.all(1) | ~kept.any(1)).all() and kept.any()


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("options", [{}, {"bidirectional": True}, {"proj_size": 5}])
def test_permanent_zeros_compute_the_same_and_load_into_an_ordinary_layer(options):
    net = model(**options)
    if options:
        net["end"] = nn.Linear(24 if "bidirectional" in options else 5, 2)
    ordinary = copy.deepcopy(net)
    pruner = prune_recurrent_(net, MagnitudeConfig(QUARTER["unstructured"]))
    x = torch.randn(4, 6, 16)
    torch.testing.assert_close(net["read"](x)[0], ordinary["read"](x)[0])  # nothing is pruned yet
    pruner.finalise()
    pruned = net["read"](x)[0]
    assert not torch.allclose(pruned, ordinary["read"](x)[0])
    make_permanent_(net)
    assert not parametrize.is_parametrized(net["read"])
    ordinary.load_state_dict(net.state_dict())
    torch.testing.assert_close(ordinary["read"](x)[0], pruned)


def test_a_run_continues_from_its_state():
    """Model and pruner saved in the middle: the same weights in the end."""
    ends = []
    for interrupted in (False, True):
        net = model()
        pruner = prune_recurrent_(net, AdmmConfig(QUARTER["uniform"]))
        trained(net, pruner)
        if interrupted:
            saved = copy.deepcopy((net.state_dict(), pruner.state_dict()))
            net = model()
            pruner = prune_recurrent_(net, AdmmConfig(QUARTER["uniform"]))
            net.load_state_dict(saved[0])
            pruner.load_state_dict(saved[1])
        torch.manual_seed(8)
        trained(net, pruner)
        pruner.finalise()
        ends.append(net["read"].weight_hh_l0.detach())
    assert torch.equal(*ends)


def test_layers_by_name_and_a_second_optimiser_on_the_same_layer():
    net = model()
    only = AdmmConfig(None, {"read.weight_hh_l0": QUARTER["uniform"]})
    prune_recurrent_(net, only).finalise()
    assert (net["read"].weight_ih_l0 != 0).all() and (net["read"].weight_hh_l0 == 0).float().mean() > 0.6
    matrix = RecurrentMatrix.of(net["read"], "weight_hh_l0")
    again = prune_recurrent_(net, only)
    assert again.pruned["read.weight_hh_l0"] is matrix


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        (AdmmConfig(Sparsity("kernel", 8, 32)), "chooses among the words of a kernel"),
        (AdmmConfig(Sparsity("pattern", 1, 4, 8)), "chooses among the words of a kernel"),
        (AdmmConfig(Sparsity("filter", 1, 2)), "removes outputs, which the state of a recurrent layer needs"),
        (AdmmConfig(layers={"read.weight": None}), "no matrix is called 'read.weight'"),
    ],
)
def test_what_is_refused(config, sentence):
    with pytest.raises(ConfigError, match=sentence):
        prune_recurrent_(model(), config)


def test_models_without_recurrent_layers_and_other_parametrisations_are_refused():
    with pytest.raises(ConfigError, match="no LSTM, GRU or RNN"):
        prune_recurrent_(nn.Sequential(nn.Linear(4, 4)))
    with pytest.raises(UnsupportedNetwork, match="a Linear is no LSTM"):
        RecurrentMatrix.of(nn.Linear(4, 4), "weight")
    with pytest.raises(ConfigError, match="has no matrix 'weight_hh_l1'"):
        RecurrentMatrix.of(nn.LSTM(4, 4), "weight_hh_l1")
    layer = nn.LSTM(4, 4)
    parametrize.register_parametrization(layer, "weight_hh_l0", nn.Identity())
    with pytest.raises(UnsupportedNetwork, match="has another parametrisation"):
        RecurrentMatrix.of(layer, "weight_hh_l0")
