"""Every optimiser after the one interface, on quadratic problems whose optimum brute force finds."""

from itertools import combinations

import pytest
import torch
from torch import nn

from hw.contract.artifact import Sparsity
from hw.contract.network import Conv, Network, tiny
from hw.util.errors import ConfigError
from pruning import NetworkModel, prune_, sets
from pruning.optimisers import (
    CONFIGS,
    AdmmConfig,
    MagnitudeConfig,
    ProximalConfig,
    Pruner,
    ReweightedConfig,
    Targets,
)
from pruning.optimisers.proximal import shortening

KEPT = 3
"""Of 32 words: 4,960 supports, few enough to try all."""

ONE_KERNEL = Sparsity("kernel", KEPT, 32)

every_optimiser = pytest.mark.parametrize("name", CONFIGS)


def config(name: str, sparsity: Sparsity) -> Targets:
    """A schedule slow enough for the problems here."""
    return {
        "admm": AdmmConfig(sparsity, rho=0.3, rho_max=3, growth=1.1),
        "proximal": ProximalConfig(sparsity, rho=0.1, rho_max=3, growth=1.2, ramp=20),
        "reweighted": ReweightedConfig(sparsity, strength=1),
        "magnitude": MagnitudeConfig(sparsity),
    }[name]


class LeastSquares:
    """½ (v - b)ᵀ H (v - b) over one layer's weights v, in the norm of the tile.

    ``condition`` is that of H; at 1 the problem is the projection of b.
    """

    def __init__(self, seed: int, condition: float, out: int = 1, cin: int = 1) -> None:
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape):
            return torch.randn(shape, generator=generator, dtype=torch.double)

        self.shape = (out, cin, 32, 2)
        size = out * cin * 64
        basis, _ = torch.linalg.qr(normal(size, size))
        spectrum = condition ** torch.linspace(-0.5, 0.5, size, dtype=torch.double)
        self.hessian = basis @ torch.diag(spectrum) @ basis.T
        self.target = (normal(*self.shape) * normal(out, cin, 32, 1).exp()).flatten()
        self.network = Network("one", (cin, 8, 8), (Conv("conv", cin, out, 5),))

    def value(self, v: torch.Tensor) -> torch.Tensor:
        gap = v.flatten() - self.target
        return 0.5 * gap @ self.hessian @ gap

    def optimum(self) -> float:
        """The least value over all supports of one kernel's KEPT words, each solved exactly."""
        words = torch.tensor(list(combinations(range(32), KEPT)))
        support = torch.stack([2 * words, 2 * words + 1], -1).flatten(1)  # (n, 2·KEPT)
        block = self.hessian[support[:, :, None], support[:, None, :]]
        right = (self.hessian @ self.target)[support]
        solution = torch.linalg.solve(block, right[..., None])[..., 0]
        values = self.value(torch.zeros_like(self.target)) - 0.5 * (right * solution).sum(1)
        return float(values.min())

    def prune(self, config: Targets, steps: int = 40) -> tuple[float, list, Pruner]:
        """Value after finalising and fine-tuning, the residuals after every step, the pruner."""
        cin, out = self.shape[1], self.shape[0]
        model = nn.ModuleDict({"conv": nn.Conv2d(cin, out, 5)}).double()
        pruner = prune_(model, self.network, config)
        layer = model["conv"].double()  # the constants too
        layer.weight.data = layer.weight.data.contiguous()  # LBFGS flattens it without a copy

        def loss() -> torch.Tensor:
            return self.value(layer.weight * layer.gate(layer.mask) * layer.metric.sqrt())

        def minimise() -> None:
            optimiser = torch.optim.LBFGS(
                [layer.weight],
                max_iter=100,
                tolerance_grad=1e-12,
                tolerance_change=1e-14,
                line_search_fn="strong_wolfe",
            )

            def closure() -> torch.Tensor:
                optimiser.zero_grad()
                total = loss() + pruner.penalty()
                total.backward()
                return total

            optimiser.step(closure)

        residuals = []
        for _ in range(steps):
            minimise()
            pruner.step()
            residuals.append(pruner.residuals()["conv"])
        minimise()
        pruner.finalise()
        minimise()
        return float(loss().detach()), residuals, pruner


@pytest.mark.parametrize("seed", range(6))
def test_admm_reaches_the_global_optimum_and_its_residuals_vanish(seed):
    """With correlated weights, where one projection of the unconstrained optimum need not."""
    problem = LeastSquares(seed, condition=10)
    value, residuals, _ = problem.prune(config("admm", ONE_KERNEL))
    assert value == pytest.approx(problem.optimum(), rel=1e-9)
    assert residuals[-1].primal < 1e-4 * residuals[0].primal
    assert residuals[-1].dual < 1e-4 * residuals[0].dual


def test_admm_finds_what_one_shot_misses():
    """Or the problems above would show nothing."""
    values = {"admm": 0.0, "magnitude": 0.0}
    for seed in range(6):
        problem = LeastSquares(seed, condition=10)
        for name in values:
            values[name] += problem.prune(config(name, ONE_KERNEL))[0] / problem.optimum() / 6
    assert values["admm"] < 1 + 1e-9 and values["magnitude"] > 1.02


@every_optimiser
@pytest.mark.parametrize("seed", [2, 4])
def test_all_optimisers_come_near_the_optimum_of_a_correlated_problem(name, seed):
    problem = LeastSquares(seed, condition=10)
    value, _, pruner = problem.prune(config(name, ONE_KERNEL))
    assert int(pruner.layers["conv"].mask.sum()) == KEPT
    assert problem.optimum() * (1 - 1e-9) <= value <= problem.optimum() * 1.05


@every_optimiser
@pytest.mark.parametrize(
    "sparsity",
    [ONE_KERNEL, Sparsity("adaptive", 2, 8, 2), Sparsity("block", 1, 4, 2), Sparsity("filter", 1, 2)],
    ids=lambda sparsity: sparsity.kind,
)
def test_without_correlation_the_optimum_is_the_projection(name, sparsity):
    problem = LeastSquares(7, condition=1, out=4, cin=2)
    target = problem.target.view(problem.shape)
    mask = sets.mask(target.square().sum(-1), sparsity)
    chosen = config(name, sparsity)
    if name == "admm":
        # At rho = 1, the curvature here, words inside and outside Z weigh the same; below and above it
        # ADMM may stop at a neighbouring support.
        chosen = AdmmConfig(sparsity, rho=1, growth=1)
    value, residuals, pruner = problem.prune(chosen, steps=30)
    assert torch.equal(pruner.layers["conv"].mask, mask)
    assert value == pytest.approx(float(problem.value(target * mask[..., None])), rel=1e-9)
    if name != "magnitude":
        assert residuals[-1].dual < 1e-2 * max(r.dual for r in residuals)


# --- the interface -----------------------------------------------------------------------------------


def pruned_tiny(name: str, layers=None) -> tuple[NetworkModel, Pruner]:
    model = NetworkModel(tiny())
    layers = {
        "conv1": Sparsity("filter", 1, 2),
        "conv2": Sparsity("block", 1, 4, 4),
        "fc2": None,
        **(layers or {}),
    }
    return model, prune_(model, tiny(), CONFIGS[name](layers=layers))


def train(model, pruner, optimiser, batch, count=2):
    for _ in range(count):
        optimiser.zero_grad()
        (model(batch).square().mean() + pruner.penalty()).backward()
        optimiser.step()


@every_optimiser
def test_finalised_masks_hold_whatever_the_optimiser_does(name, tiny_batch):
    model, pruner = pruned_tiny(name)
    optimiser = torch.optim.AdamW(model.parameters(), lr=0.05, weight_decay=0.1)
    train(model, pruner, optimiser, tiny_batch)
    pruner.step()
    train(model, pruner, optimiser, tiny_batch)
    pruner.finalise()
    masks = {n: layer.mask.clone() for n, layer in pruner.layers.items()}
    assert float(pruner.penalty()) == 0 and all(r.primal == 0 for r in pruner.residuals().values())
    train(model, pruner, optimiser, tiny_batch)
    scores = model(tiny_batch)
    for n, layer in pruner.layers.items():
        assert torch.equal(layer.mask, masks[n])
        with torch.no_grad():
            layer.weight *= layer.gate(layer.mask)
    assert torch.equal(model(tiny_batch), scores), "words outside the mask took part"


@every_optimiser
@pytest.mark.parametrize("finalised", [False, True])
def test_resumes_exactly(name, finalised, tiny_batch, tmp_path):
    """Through a file, with the weights-only loader, in the middle of a run."""
    model, pruner = pruned_tiny(name)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, pruner, optimiser, tiny_batch)
    pruner.step()
    if finalised:
        pruner.finalise()
    states = {"model": model.state_dict(), "pruner": pruner.state_dict(), "opt": optimiser.state_dict()}
    torch.save(states, tmp_path / "state.pt")

    other, other_pruner = pruned_tiny(name)
    states = torch.load(tmp_path / "state.pt", weights_only=True)
    other.load_state_dict(states["model"])
    other_pruner.load_state_dict(states["pruner"])
    assert other_pruner.residuals() == pruner.residuals()
    other_optimiser = torch.optim.Adam(other.parameters(), lr=0.01)
    other_optimiser.load_state_dict(states["opt"])
    for m, p, o in ((model, pruner, optimiser), (other, other_pruner, other_optimiser)):
        train(m, p, o, tiny_batch)
        if not finalised:
            p.step()
            train(m, p, o, tiny_batch)
    for a, b in zip(model.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b)
    assert other_pruner.residuals() == pruner.residuals() and other_pruner.steps == pruner.steps


@every_optimiser
def test_once_finalised_steps_change_nothing(name, tiny_batch):
    """A training loop need not stop to call them."""
    model, pruner = pruned_tiny(name)
    train(model, pruner, torch.optim.Adam(model.parameters(), lr=0.01), tiny_batch)
    pruner.step()
    pruner.finalise()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = pruner.state_dict()
    pruner.step()
    pruner.finalise()
    assert pruner.state_dict() == state and state["steps"] == 1
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]), key


@every_optimiser
def test_penalties_pull_towards_the_set(name, tiny_batch):
    """Without any other loss the share that finalising would cut falls; one-shot does not pull."""
    _, pruner = pruned_tiny(name)
    before = {n: r.primal for n, r in pruner_cut(pruner).items()}
    for _ in range(12):
        for _ in range(10):
            loss = pruner.penalty()
            if name == "magnitude":
                assert float(loss) == 0
                return
            gradients = torch.autograd.grad(loss, [layer.weight for layer in pruner.pruned.values()])
            with torch.no_grad():
                for layer, gradient in zip(pruner.pruned.values(), gradients, strict=True):
                    # Newton's step for the stiffest word that any penalty here has.
                    layer.weight -= gradient / layer.metric / (100 if name == "reweighted" else 1)
        pruner.step()
    after = pruner_cut(pruner)
    for n in before:
        # Reweighting pulls at everything, so that what stays shrinks as well, only less.
        assert after[n].primal < (1 if name == "reweighted" else 0.9) * before[n]


def pruner_cut(pruner: Pruner):
    """Residuals against the projection of W itself, the same for every optimiser."""
    probe = MagnitudeConfig(pruner.config.default, pruner.config.layers).start(pruner.layers)
    return probe.residuals()


def test_removed_channels_are_read_by_nobody():
    """Neither by a layer with a constraint nor by one without; a quarter of conv2 is more than is left."""
    layers = {"conv1": Sparsity("filter", 1, 3), "conv2": Sparsity("combined", 1, 4), "fc1": None}
    _, pruner = pruned_tiny("admm", layers)
    pruner.step()
    pruner.finalise()
    conv1, conv2, fc1, fc2 = (pruner.layers[n].mask for n in ("conv1", "conv2", "fc1", "fc2"))
    live1, live2 = conv1.any((1, 2)), conv2.any((1, 2))
    assert int(live1.sum()) == 3 and int(live2.sum()) == 7
    assert not conv2[:, ~live1].any() and int(conv2.sum()) == 7 * 3 * 32
    assert not fc1[:, ~live2].any()
    assert torch.equal(fc1[:, live2], pruner.layers["fc1"].present[live2].expand(70, -1, -1))
    assert int(fc2.sum()) == 5 * 35, "removed words of a fully connected layer are not its outputs"


def test_shortening_leaves_the_inside_alone_and_reaches_the_set():
    energy = torch.tensor([[[16.0, 9.0, 4.0, 1.0, -1.0]]])
    mask = torch.tensor([[[True, False, False, False, False]]])
    factors = shortening(energy, mask, 1 / 2)  # lengths 3, 2, 1 lose 1.5
    torch.testing.assert_close(factors[0, 0, :4], torch.tensor([1, 0.5, 0.25, 0]))
    assert torch.equal(shortening(energy, mask, 1.0)[0, 0, :4] > 0, mask[0, 0, :4])
    assert torch.equal(shortening(energy, mask, 0.0)[0, 0, :4], torch.ones(4))


def test_the_proximal_copy_is_in_the_set_after_the_ramp():
    model = NetworkModel(tiny())
    targets = {"conv1": Sparsity("kernel", 8, 32), "fc2": None}
    pruner = prune_(model, tiny(), ProximalConfig(layers=targets, ramp=3))
    counts = []
    for _ in range(3):
        pruner.step()
        counts.append(int((pruner.targets()["conv1"] != 0).any(-1).sum()))
    assert counts[0] > counts[1] > counts[2] == 9 * 2 * 8


def test_reweighting_pulls_small_groups_harder_and_groups_as_one():
    _, pruner = pruned_tiny("reweighted")
    layer = pruner.layers["conv2"]
    with torch.no_grad():
        layer.weight[:4, 3, 5] *= 0.1
    pruner.step()
    factors = pruner.state_dict()["a"]["conv2"][..., 0]  # (out, in, 32)
    assert torch.equal(factors[:4], factors[:1].expand(4, -1, -1)), "blocks of 4 outputs are pulled as one"
    energy = pruner.layers["conv2"].energy(layer.weight)
    expected = energy.mean() / (energy[:4, 3, 5].mean() + 1e-3 * energy.mean())
    torch.testing.assert_close(factors[0, 3, 5], expected.detach())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ProximalConfig(ramp=0), "ramp .* not 0"),
        (lambda: ProximalConfig(rho=2), "rho=2"),
        (lambda: ReweightedConfig(strength=0), "strength=0"),
        (lambda: MagnitudeConfig(Sparsity("magic", 1, 4)), "'magic'"),
        (
            lambda: pruned_tiny("admm", {"fc1": Sparsity("filter", 1, 2)}),
            "'fc1': filter sparsity is for convolutions",
        ),
    ],
)
def test_mistakes_are_one_sentence(make, message):
    with pytest.raises(ConfigError, match=message):
        make()
