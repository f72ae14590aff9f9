"""SPEC2's set (arXiv:1910.11103, section 3): the largest words of every kernel."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from hw.contract.spectrum import WORDS
from hw.util.errors import ConfigError
from pruning.sets.base import ConstraintSet, rank, whole


@dataclass(frozen=True)
class Kernel(ConstraintSet):
    """Every kernel (out, in) keeps its ``words`` largest words, 1..32. Exact."""

    kind: ClassVar[str] = "kernel"
    convolutions_only: ClassVar[bool] = True
    among_words: ClassVar[bool] = True

    words: int

    def __post_init__(self) -> None:
        if not 0 < self.words <= WORDS:
            raise ConfigError(f"kernel sparsity keeps more than 0 and at most {WORDS}, not {self.words}")

    @classmethod
    def of(cls, sparsity: Sparsity) -> Kernel:
        return cls(whole(sparsity))

    @property
    def share(self) -> Fraction:
        return Fraction(self.words) / WORDS

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        return (rank(energy, dim=-1) < self.words) & (energy >= 0)

    def describe(self) -> str:
        return f"{self.words} of {WORDS} words of every kernel"
