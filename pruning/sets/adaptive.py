"""n:m sparsity over input channels, with n where it gains most."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning.sets.base import ConstraintSet, rank
from pruning.sets.uniform import check_n_of_m, group, ungroup


@dataclass(frozen=True)
class Adaptive(ConstraintSet):
    """n:m with n = 0..m chosen per (block of outputs, word, group of inputs), ``mean`` on average. Exact.

    Within its entry every output channel keeps its n largest. One more step for an entry gains the
    energy of one more word in each of the block's rows; those gains never grow, so taking the
    largest ones until the budget of floor(mean/m · blocks · words) steps is spent is optimal. A last
    block of fewer rows has a budget of its own: the kept share is at most mean/m in steps *and* in
    words.
    """

    kind: ClassVar[str] = "adaptive"

    mean: float
    m: int = 8
    block: int = 8

    def __post_init__(self) -> None:
        check_n_of_m(self.kind, self.mean, self.m)
        if self.block < 1:
            raise ConfigError(
                f"adaptive sparsity needs a block of at least 1 output channel, not {self.block}"
            )

    @classmethod
    def of(cls, sparsity: Sparsity) -> Adaptive:
        return cls(sparsity.keep, sparsity.group, sparsity.block)

    @property
    def share(self) -> Fraction:
        return Fraction(self.mean) / self.m

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        full = energy.shape[0] - energy.shape[0] % self.block
        parts = [p for p in (energy[:full], energy[full:]) if len(p)]
        return torch.cat([self._mask(p, min(self.block, len(p))) for p in parts])

    def _mask(self, energy: torch.Tensor, rows: int) -> torch.Tensor:
        """The mask of blocks of ``rows`` output channels that are all full."""
        grouped = group(energy, self.m)  # (out, G, m, words)
        blocks = grouped.unflatten(0, (-1, rows))  # (K, rows, G, m, words)
        gains = blocks.sort(dim=3, descending=True).values.sum(1)  # (K, G, m, words): the s-th step's gain
        exists = gains >= 0  # absent channels sort last and weigh -1 per row
        budget = math.floor(self.mean * int(exists.sum()) / self.m)
        order = gains.flatten().sort(descending=True, stable=True).indices
        taken = torch.zeros_like(exists).flatten()
        taken[order[:budget]] = True
        steps = taken.view_as(exists).sum(2)  # (K, G, words): n of every entry
        kept = rank(blocks, dim=3) < steps[:, None, :, None]
        return ungroup(kept.flatten(0, 1), energy)

    def describe(self) -> str:
        return (
            f"{self.mean:g} of {self.m} input channels on average, per block of {self.block} outputs and word"
        )
