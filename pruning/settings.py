"""What decides the result of a training job."""

from __future__ import annotations

from dataclasses import dataclass

from hw.network import Network
from pruning.optimisers import Targets
from pruning.train import Phase


@dataclass(frozen=True)
class Epochs:
    """Passes over the training set in each phase; ``admm`` is that of pruning, whatever the optimiser."""

    dense: int
    admm: int
    finetune: int
    mirror: int


@dataclass(frozen=True)
class Settings:
    """Everything but the images that decides a job's result."""

    network: Network
    config: Targets
    epochs: Epochs
    seed: int = 0
    batch: int = 64
    weight_bits: int = 8

    @property
    def phases(self) -> list[Phase]:
        """In order, with their learning rates."""
        e = self.epochs
        return [
            Phase("dense", e.dense, 2e-3),
            Phase(self.config.name, e.admm, 1e-3),
            Phase("finetune", e.finetune, 1e-3),
            Phase("mirror", e.mirror, 3e-4),
        ]
