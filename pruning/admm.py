"""ADMM pruning: train towards a constraint set, then hold it.

minimise loss(W) subject to W ∈ S is split into minimise loss(W) + indicator_S(Z) with W = Z:

    W-step   your optimiser, on loss + rho/2 · ‖W - Z + U‖²     (penalty, every batch)
    Z-step   Z = projection of W + U on S                       (step, every epoch or so)
    U-step   U = U + W - Z

T. Zhang et al., ECCV 2018 (arXiv:1804.03294); in the spectral domain SPEC2, arXiv:1910.11103,
section 3. Norms are those of the tile (Parseval), so rho means the same in every layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from hw.artifact import Sparsity
from hw.errors import ConfigError
from hw.network import Conv, Network
from pruning import sets
from pruning.convert import WordLayer, to_word_layers_


@dataclass(frozen=True)
class AdmmConfig:
    """What to prune and how hard to pull.

    default: the constraint set of every layer not in ``layers``.
    layers: constraint sets by layer name; None leaves the layer dense.
    rho: penalty weight at the start; every ``Admm.step`` multiplies it by ``growth`` up to ``rho_max``.
    """

    default: Sparsity | None = field(default_factory=lambda: Sparsity("adaptive", 2, 8, 8))
    layers: Mapping[str, Sparsity | None] = field(default_factory=dict)
    rho: float = 0.01
    growth: float = 1.35
    rho_max: float = 1.0

    def __post_init__(self) -> None:
        for sparsity in (self.default, *self.layers.values()):
            if sparsity is not None:
                sets.check(sparsity)
        if not 0 < self.rho <= self.rho_max or self.growth < 1:
            raise ConfigError(
                f"rho must be positive and at most rho_max, growth at least 1, not rho={self.rho}, "
                f"rho_max={self.rho_max}, growth={self.growth}"
            )

    def sparsity(self, name: str) -> Sparsity:
        """The constraint set of layer ``name`` (``Sparsity()`` when it stays dense)."""
        return self.layers.get(name, self.default) or Sparsity()


@dataclass(frozen=True)
class Residuals:
    """How far a layer is from convergence.

    primal: ‖W - Z‖ / ‖W‖, the share that finalising would cut off.
    dual: rho·‖Z - Z before‖, how much the last step moved the target.
    """

    primal: float
    dual: float


def prune_(model: nn.Module, network: Network, config: AdmmConfig | None = None) -> Admm:
    """Swap ``model``'s layers in place for word layers and start ADMM on them.

    ``model`` has one ``nn.Conv2d`` or ``nn.Linear`` per layer of ``network``, under its name.
    Raises ``ConfigError`` for names that are not there, ``UnsupportedNetwork`` for layers that differ.
    """
    config = config or AdmmConfig()
    names = [layer.name for layer in network.layers]
    if unknown := set(config.layers) - set(names):
        raise ConfigError(f"no layer is called {sorted(unknown)[0]!r}: the network has {', '.join(names)}")
    layers = to_word_layers_(model, network)
    for name, layer in layers.items():
        if config.sparsity(name).kind == "kernel" and not isinstance(layer.spec, Conv):
            raise ConfigError(f"layer {name!r}: kernel sparsity is for convolutions, use uniform or adaptive")
    return Admm(layers, config)


class Admm:
    """The state of a pruning run; made by :func:`prune_`, driven by your training loop."""

    def __init__(self, layers: Mapping[str, WordLayer], config: AdmmConfig) -> None:
        self.layers, self.config = layers, config
        self.rho = config.rho
        self.steps = 0
        self.finalised = False
        self.pruned = {n: m for n, m in layers.items() if config.sparsity(n).kind != "dense"}
        self._z = {n: self._project(n, m.weight.detach()) for n, m in self.pruned.items()}
        self._u = {n: torch.zeros_like(z) for n, z in self._z.items()}
        self._moved = dict.fromkeys(self._z, 0.0)

    def penalty(self) -> torch.Tensor:
        """rho/2 · Σ ‖W - Z + U‖² over the pruned layers; zero once finalised. Add it to the loss."""
        total = torch.zeros(())
        if not self.finalised:
            for name, layer in self.pruned.items():
                gap = layer.weight - self._z[name] + self._u[name]
                total = total.to(gap) + (layer.metric * gap.square()).sum()
        return self.rho / 2 * total

    @torch.no_grad()
    def step(self) -> None:
        """Z- and U-step, then the rho schedule. Call it once per epoch (or every few hundred batches)."""
        for name, layer in self.pruned.items():
            z = self._project(name, layer.weight + self._u[name])
            self._moved[name] = _norm(layer, z - self._z[name])
            self._z[name] = z
            self._u[name] += layer.weight - z
        rho = min(self.rho * self.config.growth, self.config.rho_max)
        for u in self._u.values():
            u *= self.rho / rho  # U is the multiplier divided by rho
        self.rho = rho
        self.steps += 1

    @torch.no_grad()
    def finalise(self) -> None:
        """Fix every mask to that of Z's next projection and zero the words outside.

        From here on masked weights take no part and get no gradient, whatever the optimiser does.
        """
        for name, layer in self.pruned.items():
            layer.mask.copy_(
                sets.mask(layer.energy(layer.weight + self._u[name]), self.config.sparsity(name))
            )
            layer.weight *= layer.gate(layer.mask)
        self.finalised = True

    @torch.no_grad()
    def residuals(self) -> dict[str, Residuals]:
        """Primal and dual residual of every pruned layer."""
        result = {}
        for name, layer in self.pruned.items():
            target = layer.weight * layer.gate(layer.mask) if self.finalised else self._z[name]
            primal = _norm(layer, layer.weight - target) / max(_norm(layer, layer.weight), 1e-12)
            result[name] = Residuals(primal, 0.0 if self.finalised else self.rho * self._moved[name])
        return result

    def state_dict(self) -> dict[str, Any]:
        """Everything but the weights and masks, which the model's own state holds."""
        own = {"rho": self.rho, "steps": self.steps, "finalised": self.finalised}
        return {**own, "z": self._z, "u": self._u, "moved": self._moved}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue exactly where :meth:`state_dict` was taken."""
        self.rho, self.steps, self.finalised = state["rho"], state["steps"], state["finalised"]
        self._z, self._u = dict(state["z"]), dict(state["u"])
        self._moved = dict(state["moved"])

    def _project(self, name: str, weight: torch.Tensor) -> torch.Tensor:
        layer = self.pruned[name]
        return weight * layer.gate(sets.mask(layer.energy(weight), self.config.sparsity(name)))


def _norm(layer: WordLayer, x: torch.Tensor) -> float:
    return float((layer.metric * x.square()).sum().sqrt())
