"""Reweighted group regularisation, after BLK-REW (arXiv:2001.08357).

The penalty is strength/2 · Σ a·‖w‖² over all words w of the pruned layers. a is the mean energy of the
layer's words over that of the word's group (what it stays or goes with), and is taken anew every step:
small groups are pulled ever harder and vanish, large ones hardly feel it. How many vanish follows from
``strength``; the constraint set gives the groups, and the exact share in the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from hw.util.errors import ConfigError
from pruning import sets
from pruning.optimisers.base import Prunable, Pruner, Targets, norm


@dataclass(frozen=True)
class ReweightedConfig(Targets):
    """What to prune, and how hard.

    strength: weight of the penalty; 1 pulls an average word as hard as ADMM with rho = 1.
    floor: groups below this share of the mean energy are pulled no harder than at it.
    """

    name: ClassVar[str] = "reweighted"

    strength: float = 0.1
    floor: float = 1e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.strength <= 0 or self.floor <= 0:
            raise ConfigError(
                f"strength and floor must be positive, not strength={self.strength}, floor={self.floor}"
            )

    def start(self, layers: Mapping[str, Prunable]) -> Reweighted:
        return Reweighted(layers, self)


class Reweighted(Pruner):
    """The state of reweighted regularisation: a of every word."""

    config: ReweightedConfig

    def __init__(self, layers: Mapping[str, Prunable], config: ReweightedConfig) -> None:
        super().__init__(layers, config)
        self._a = {name: self._factors(name) for name in self.pruned}
        self._change = dict.fromkeys(self.pruned, 0.0)

    def penalty(self) -> torch.Tensor:
        """strength/2 · Σ a·‖w‖² over the pruned layers; zero once finalised. Add it to the loss."""
        total = torch.zeros(())
        if not self.finalised:
            for name, layer in self.pruned.items():
                term = (layer.metric * self._a[name] * layer.weight.square()).sum()
                total = total.to(term) + term
        return self.config.strength / 2 * total

    def advance(self) -> None:
        """Weigh the groups anew."""
        for name, layer in self.pruned.items():
            factors = self._factors(name)
            self._change[name] = norm(layer, (factors - self._a[name]) * layer.weight)
            self._a[name] = factors

    def targets(self) -> dict[str, torch.Tensor]:
        return self.project(self.estimate())

    def dual(self, name: str) -> float:
        """strength·‖change of a·W‖."""
        return self.config.strength * self._change[name]

    def forget(self) -> None:
        self._a = {}

    @torch.no_grad()
    def _factors(self, name: str) -> torch.Tensor:
        """a, in a shape that broadcasts to the layer's weight."""
        layer = self.pruned[name]
        energy = layer.energy(layer.weight)
        mean = energy[energy >= 0].mean()
        groups = sets.of(self.config.sparsity(name)).groups(energy).clamp(min=0)
        return layer.gate(mean / (groups + self.config.floor * mean).clamp(min=torch.finfo(mean.dtype).tiny))

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "a": self._a, "change": self._change}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._a, self._change = dict(state["a"]), dict(state["change"])
