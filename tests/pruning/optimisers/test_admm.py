"""ADMM: the optimum where it is known, the API, exact resumption."""

import copy

import pytest
import torch
from torch import nn

from hw.contract.artifact import Sparsity
from hw.contract.network import Conv, Dense, Network, tiny
from hw.util.errors import ConfigError, UnsupportedNetwork
from pruning import AdmmConfig, NetworkModel, prune_, sets
from pruning.optimisers import Admm
from pruning.training.summary import steps, summary

SETS = {"conv1": Sparsity("kernel", 8, 32), "conv2": Sparsity("uniform", 2, 8), "fc2": None}


def pruned_tiny(config: AdmmConfig | None = None) -> tuple[NetworkModel, Admm]:
    model = NetworkModel(tiny())
    return model, prune_(model, tiny(), config or AdmmConfig(layers=SETS))


def test_swaps_layers_without_changing_the_network(tiny_batch):
    model = NetworkModel(tiny())
    before = model(tiny_batch)
    prune_(model, tiny(), AdmmConfig(layers=SETS))
    torch.testing.assert_close(model(tiny_batch), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", ["kernel", "adaptive"])
def test_finds_the_optimum_of_a_quadratic(kind):
    """min ½‖w - a‖² in the norm of the tile has its optimum over the set at the projection of a."""
    network = Network("one", (8, 8, 8), (Conv("conv", 8, 8, 5),))
    model = nn.ModuleDict({"conv": nn.Conv2d(8, 8, 5)})
    keep, group = (8, 32) if kind == "kernel" else (2, 8)
    config = AdmmConfig(Sparsity(kind, keep, group, 4), rho=1, rho_max=1, growth=1)
    admm = prune_(model, network, config)
    layer = model["conv"]
    # Words are far from each other in size, so that the optimum's set is stable.
    target = torch.randn_like(layer.weight) * 3 ** torch.randn(8, 8, 32, 1)
    expected = target * sets.mask(layer.energy(target), config.sparsity("conv"))[..., None]
    for _ in range(60):
        for _ in range(8):  # gradient steps on the W-problem, whose curvature is 1 + rho in this norm
            loss = 0.5 * (layer.metric * (layer.weight - target).square()).sum() + admm.penalty()
            (gradient,) = torch.autograd.grad(loss, layer.weight)
            with torch.no_grad():
                layer.weight -= 0.4 * gradient / layer.metric
        admm.step()
    before = admm.residuals()["conv"]
    scale = float(target.abs().max())
    torch.testing.assert_close(admm._z["conv"], expected, rtol=0, atol=1e-3 * scale)
    assert before.primal < 1e-2 and before.dual < 1e-2 * scale


def test_penalty_is_the_spatial_distance():
    _, admm = pruned_tiny(
        AdmmConfig(
            layers={"conv1": Sparsity("kernel", 32, 32), "conv2": None, "fc1": None, "fc2": None}, rho=0.5
        )
    )
    layer = admm.layers["conv1"]
    assert float(admm.penalty().detach()) == 0  # everything is kept: Z = W
    kernels = torch.randn(9, 2, 3, 3)
    from pruning.layers.transform import kernel_spectrum

    with torch.no_grad():
        layer.weight += kernel_spectrum(kernels)
    expected = 0.25 * kernels.square().sum()
    torch.testing.assert_close(admm.penalty().detach(), expected)


def test_rho_grows_and_rescales_the_dual():
    _, admm = pruned_tiny(AdmmConfig(rho=0.1, growth=2, rho_max=0.3))
    # W stays as it is, so the first step adds rho times the gap to the multiplier rho·U.
    gap = (admm.layers["conv1"].weight - admm._z["conv1"]).detach()
    multipliers = []
    for expected in (0.2, 0.3, 0.3):
        admm.step()
        assert admm.rho == pytest.approx(expected)
        multipliers.append(admm.rho * admm._u["conv1"])
    assert admm.steps == 3 and gap.any()
    torch.testing.assert_close(multipliers[0], 0.1 * gap)


def test_finalised_masks_hold_whatever_the_optimiser_does(tiny_batch):
    model, admm = pruned_tiny()
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)

    def train(count):
        for _ in range(count):
            optimiser.zero_grad()
            (model(tiny_batch).square().mean() + admm.penalty()).backward()
            optimiser.step()

    train(3)  # the optimiser's momentum knows the words that go
    admm.step()
    admm.finalise()
    masks = {name: layer.mask.clone() for name, layer in admm.layers.items()}
    assert float(admm.penalty()) == 0
    train(5)
    model.eval()
    scores = model(tiny_batch)
    for name, layer in admm.layers.items():
        assert torch.equal(layer.mask, masks[name])
        with torch.no_grad():
            layer.weight *= layer.gate(layer.mask)
    assert torch.equal(model(tiny_batch), scores), "words outside the mask took part"
    assert (masks["conv1"].sum(-1) == 8).all() and "fc2" not in masks, "a dense layer stays what it is"


@pytest.mark.parametrize("finalised", [False, True])
def test_resumes_exactly(tiny_batch, tmp_path, finalised):
    """Through a file, with the weights-only loader, in the middle of a run."""

    def advance(model, admm, optimiser):
        for _ in range(2):
            optimiser.zero_grad()
            (model(tiny_batch).square().mean() + admm.penalty()).backward()
            optimiser.step()
        if not admm.finalised:
            admm.step()

    model, admm = pruned_tiny()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    advance(model, admm, optimiser)
    if finalised:
        admm.finalise()
    states = {"model": model.state_dict(), "admm": admm.state_dict(), "optimiser": optimiser.state_dict()}
    torch.save(states, tmp_path / "state.pt")
    advance(model, admm, optimiser)

    other, other_admm = pruned_tiny()
    states = torch.load(tmp_path / "state.pt", weights_only=True)
    other.load_state_dict(states["model"])
    other_admm.load_state_dict(states["admm"])
    other_optimiser = torch.optim.Adam(other.parameters(), lr=0.01)
    other_optimiser.load_state_dict(states["optimiser"])
    advance(other, other_admm, other_optimiser)
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert other_admm.residuals() == admm.residuals() and other_admm.rho == admm.rho


def test_summary_counts_words_and_steps():
    model = NetworkModel(tiny())
    dense = summary(model, tiny())
    admm = prune_(model, tiny(), AdmmConfig(layers=SETS))
    assert summary(model, tiny()) == dense and all(layer.speedup == 1 for layer in dense)
    admm.finalise()
    table = {layer.name: layer for layer in summary(model, tiny())}
    assert [layer.words for layer in table.values()] == [9 * 2 * 32, 10 * 9 * 32, 70 * 10 * 12, 5 * 35]
    assert table["conv1"].kept == 9 * 2 * 8
    # 9 input channels are a group of 8, of which 2 stay, and one of 1, of which 1 stays; 2 blocks of rows.
    assert (table["conv2"].kept, table["conv2"].steps) == (10 * 32 * 3, 2 * 32 * 3)
    assert (table["fc2"].kept_share, table["fc2"].speedup) == (1, 1)
    mask = torch.zeros(9, 9, 32, dtype=torch.bool)
    mask[0, :3, 7] = mask[5, 3:5, 7] = mask[8, 8, 7] = True  # blocks {0..7} and {8}
    assert steps(mask, 8) == 3 + 1 and steps(mask, 4) == 3 + 2 + 1


def test_mistakes_are_one_sentence():
    with pytest.raises(ConfigError, match="no layer is called 'conv9': the network has conv1, conv2"):
        prune_(NetworkModel(tiny()), tiny(), AdmmConfig(layers={"conv9": None}))
    with pytest.raises(ConfigError, match="no module 'conv1'"):
        prune_(nn.Sequential(), tiny())
    with pytest.raises(ConfigError, match="'fc1': kernel sparsity is for convolutions"):
        prune_(NetworkModel(tiny()), tiny(), AdmmConfig(layers={"fc1": Sparsity("kernel", 8, 32)}))
    with pytest.raises(ConfigError, match="rho"):
        AdmmConfig(rho=0)
    model = NetworkModel(tiny())
    model.conv2 = nn.Conv2d(9, 10, 5, padding=1)
    with pytest.raises(UnsupportedNetwork, match="'conv2'"):
        prune_(model, tiny())
    model.conv2 = nn.BatchNorm2d(10)
    with pytest.raises(UnsupportedNetwork, match="BatchNorm2d"):
        prune_(model, tiny())


def test_works_on_a_model_of_ones_own(tiny_batch):
    """Only names matter: modules may sit deeper, and need not be a NetworkModel."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.ModuleDict({"conv": nn.Conv2d(2, 8, 3, padding=1)})
            self.head = nn.Linear(8 * 4 * 5, 3)

        def forward(self, x):
            x = nn.functional.max_pool2d(self.body["conv"](x).relu(), 2)
            return self.head(x.flatten(1))

    layers = (Conv("body.conv", 2, 8, 3, padding=1, pool=2), Dense("head", 160, 3, relu=False))
    model, network = Own(), Network("own", (2, 9, 11), layers)
    before = model(tiny_batch)
    admm = prune_(copy.deepcopy(model), network)
    assert list(admm.pruned) == ["body.conv", "head"]
    prune_(model, network)
    torch.testing.assert_close(model(tiny_batch), before, rtol=0, atol=1e-6)
