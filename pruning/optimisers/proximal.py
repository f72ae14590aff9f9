"""Primal-proximal pruning with a soft constraint, after SS-Auto (arXiv:2001.08839).

The constraint W ∈ S becomes a penalty on what lies outside, r(W) = λ · Σ ‖w‖ over the words w that the
projection of W on S would cut; words inside cost nothing, so not all weights are punished alike. With a
copy Z:

    primal step     your optimiser, on loss + rho/2 · ‖W - Z‖²          (penalty, every batch)
    proximal step   Z = W, with the words outside shortened by λ/rho    (step, every epoch or so)

There is no multiplier, and λ is no parameter: the length that is cut off rises from nothing to all of the
largest word outside over ``ramp`` steps. From then on Z is in S.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from hw.util.errors import ConfigError
from pruning.optimisers.base import Prunable, RhoSchedule
from pruning.optimisers.splitting import Splitting


@dataclass(frozen=True)
class ProximalConfig(RhoSchedule):
    """What to prune, how hard to pull (:class:`RhoSchedule`), and ``ramp``: steps until Z is in the set."""

    name: ClassVar[str] = "proximal"

    ramp: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ramp < 1:
            raise ConfigError(f"ramp must be at least 1 step, not {self.ramp}")

    def start(self, layers: Mapping[str, Prunable]) -> Proximal:
        return Proximal(layers, self)


class Proximal(Splitting):
    """The state of primal-proximal pruning: Z and rho."""

    config: ProximalConfig

    def __init__(self, layers: Mapping[str, Prunable], config: ProximalConfig) -> None:
        super().__init__(layers, config)
        self.move({name: weight.clone() for name, weight in self.estimate().items()})

    def pull_target(self, name: str) -> torch.Tensor:
        """Z."""
        return self._z[name]

    def advance(self) -> None:
        """Proximal step, then the rho schedule."""
        weights = self.estimate()
        masks = self.masks(weights)
        cut = min(1.0, self.steps / self.config.ramp)
        self.move(
            {
                n: weights[n] * layer.gate(shortening(layer.energy(weights[n]), masks[n], cut))
                for n, layer in self.pruned.items()
            }
        )
        self.rho = self.config.following(self.rho)


def shortening(energy: torch.Tensor, mask: torch.Tensor, cut: float) -> torch.Tensor:
    """The factor of every word, (out, in, 32): 1 inside ``mask``; outside, lengths lose the share ``cut``
    of the largest length there, and shorter ones vanish."""
    length = energy.clamp(min=0).sqrt()
    outside = length.masked_fill(mask, 0.0)
    threshold = cut * outside.max()
    factor = 1 - threshold / length.clamp(min=torch.finfo(length.dtype).tiny)
    return torch.where(mask, torch.ones_like(factor), factor.clamp(min=0))
