"""No constraint at all."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from pruning.sets.base import ConstraintSet


@dataclass(frozen=True)
class Dense(ConstraintSet):
    """Every word stays."""

    kind: ClassVar[str] = "dense"

    @classmethod
    def of(cls, sparsity: Sparsity) -> Dense:
        return cls()

    @property
    def share(self) -> Fraction:
        return Fraction(1)

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        return energy >= 0

    def describe(self) -> str:
        return "all words"
