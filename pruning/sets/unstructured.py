"""The largest words of a layer, wherever they are: the bound for all other sets."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.artifact import Sparsity
from pruning.sets.base import ConstraintSet, budget, check_share, ratio, take


@dataclass(frozen=True)
class Unstructured(ConstraintSet):
    """The layer keeps the ``share`` of its words with the most energy. Exact."""

    kind: ClassVar[str] = "unstructured"

    share: Fraction

    def __post_init__(self) -> None:
        check_share(self.kind, self.share)

    @classmethod
    def of(cls, sparsity: Sparsity) -> Unstructured:
        return cls(ratio(sparsity))

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        flat = energy.flatten()
        return take(flat, (flat >= 0).long(), budget(self.share, energy)).view_as(energy)

    def describe(self) -> str:
        return f"{self.share} of the words of the layer"
