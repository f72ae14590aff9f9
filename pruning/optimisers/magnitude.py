"""One-shot magnitude pruning: train without constraint, project once, fine-tune. The base line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch

from pruning.optimisers.base import Prunable, Pruner, Targets


@dataclass(frozen=True)
class MagnitudeConfig(Targets):
    """What to prune."""

    name: ClassVar[str] = "magnitude"

    def start(self, layers: Mapping[str, Prunable]) -> Magnitude:
        return Magnitude(layers, self)


class Magnitude(Pruner):
    """No state: all happens in ``finalise``."""

    def penalty(self) -> torch.Tensor:
        """Nothing."""
        return torch.zeros(())

    def advance(self) -> None:
        """Nothing."""

    def forget(self) -> None:
        """Nothing."""

    def targets(self) -> dict[str, torch.Tensor]:
        return self.project(self.estimate())
