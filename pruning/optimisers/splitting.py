"""Optimisers that pull the weights W to a copy Z which knows the constraint."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch

from pruning.optimisers.base import Prunable, Pruner, RhoSchedule, norm


class Splitting(Pruner):
    """State and penalty of W = Z; how Z follows W is the subclass's."""

    config: RhoSchedule
    pulls: ClassVar[bool] = True

    def __init__(self, layers: Mapping[str, Prunable], config: RhoSchedule) -> None:
        super().__init__(layers, config)
        self.rho = config.rho
        self._z: dict[str, torch.Tensor] = {}
        self._moved: dict[str, float] = {}

    @abstractmethod
    def pull_target(self, name: str) -> torch.Tensor:
        """What the penalty pulls a layer's weights to."""

    def penalty(self) -> torch.Tensor:
        """rho/2 · Σ ‖W - target‖² over the pruned layers; zero once finalised. Add it to the loss."""
        total = torch.zeros(())
        if not self.finalised:
            for name, layer in self.pruned.items():
                gap = layer.weight - self.pull_target(name)
                total = total.to(gap) + (layer.metric * gap.square()).sum()
        return self.rho / 2 * total

    @torch.no_grad()
    def pull(self, rate: float) -> None:
        """W ← argmin ‖W - W before‖² / (2 · rate) + rho/2 · ‖W - target‖², the penalty's proximal step.

        Stable at any rate, and one pass over the weights.
        """
        if not self.finalised:
            share = rate * self.rho / (1 + rate * self.rho)
            for name, layer in self.pruned.items():
                layer.weight.lerp_(self.pull_target(name), share)

    def move(self, z: dict[str, torch.Tensor]) -> None:
        """Take over a new Z."""
        before = self._z or z
        self._moved = {name: norm(layer, z[name] - before[name]) for name, layer in self.pruned.items()}
        self._z = z

    def targets(self) -> dict[str, torch.Tensor]:
        return self._z

    def dual(self, name: str) -> float:
        """rho·‖Z - Z before‖."""
        return self.rho * self._moved[name]

    def forget(self) -> None:
        self._z = {}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "rho": self.rho, "z": self._z, "moved": self._moved}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self.rho, self._z, self._moved = state["rho"], dict(state["z"]), dict(state["moved"])
