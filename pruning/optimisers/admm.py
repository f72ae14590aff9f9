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
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from pruning.optimisers.base import Prunable, RhoSchedule
from pruning.optimisers.splitting import Splitting


@dataclass(frozen=True)
class AdmmConfig(RhoSchedule):
    """What to prune and how hard to pull; the fields of :class:`RhoSchedule`."""

    name: ClassVar[str] = "admm"

    def start(self, layers: Mapping[str, Prunable]) -> Admm:
        return Admm(layers, self)


class Admm(Splitting):
    """The state of ADMM: Z, U and rho."""

    def __init__(self, layers: Mapping[str, Prunable], config: AdmmConfig) -> None:
        super().__init__(layers, config)
        self.move(self.project({n: m.weight.detach() for n, m in self.pruned.items()}))
        self._u = {n: torch.zeros_like(z) for n, z in self._z.items()}
        self._pull_target = {n: z - self._u[n] for n, z in self._z.items()}

    def pull_target(self, name: str) -> torch.Tensor:
        """Z - U."""
        return self._pull_target[name]

    def advance(self) -> None:
        """Z- and U-step, then the rho schedule."""
        self.move(self.project(self.estimate()))
        for name, layer in self.pruned.items():
            self._u[name] += layer.weight - self._z[name]
        rho = self.config.following(self.rho)
        for u in self._u.values():
            u *= self.rho / rho  # U is the multiplier divided by rho
        self._pull_target = {n: z - self._u[n] for n, z in self._z.items()}
        self.rho = rho

    def estimate(self) -> dict[str, torch.Tensor]:
        """W + U."""
        return {name: layer.weight.detach() + self._u[name] for name, layer in self.pruned.items()}

    def forget(self) -> None:
        super().forget()
        self._u, self._pull_target = {}, {}

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "u": self._u}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        super().load_state_dict(state)
        self._u = dict(state["u"])
        self._pull_target = {n: z - self._u[n] for n, z in self._z.items()}
