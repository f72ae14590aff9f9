"""A small library of word patterns, one per kernel, and kernels that go altogether.

PatDNN (arXiv:2001.00138) and pattern-based sparsity (arXiv:2001.07710) let every 3×3 kernel take one of a
few patterns of 4 entries, found by counting the kernels' own largest entries, and prune whole kernels
(connectivity). A spectral kernel has 32 words, and nearly every kernel's own pattern is unique: counting
tells nothing there. The library is grown and refined by the energy it keeps instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.artifact import Sparsity
from pruning.sets.base import ConstraintSet, check_count, check_share, rank, ratio

ROUNDS = 10
"""Most refinements of a library; few are needed, and none makes it worse."""


@dataclass(frozen=True)
class Pattern(ConstraintSet):
    """Kernels take one of ``patterns`` patterns of equally many words, or go. A heuristic.

    The pruned ``share`` is split evenly between words and kernels: a pattern has sqrt(share) of a
    kernel's words, and as many kernels stay as the share allows. Of 9 positions in space a quarter are
    patterns of 4, as in the papers; of 32 words, of 16. Given the library, choosing kernels and their
    patterns is exact; the library is a local optimum.
    """

    kind: ClassVar[str] = "pattern"
    exact: ClassVar[bool] = False
    convolutions_only: ClassVar[bool] = True

    share: Fraction
    patterns: int = 8

    def __post_init__(self) -> None:
        check_share(self.kind, self.share)
        check_count(self.kind, "a library (block)", self.patterns)

    @classmethod
    def of(cls, sparsity: Sparsity) -> Pattern:
        return cls(ratio(sparsity), sparsity.block)

    def length(self, words: int) -> int:
        """Words in a pattern, for kernels of ``words``."""
        return max(math.ceil(self.share * words), round(math.sqrt(self.share) * words))

    def kernels(self, energy: torch.Tensor) -> int:
        """Kernels of a layer (out, in, words) that stay; at least one."""
        out, cin, words = energy.shape
        return max(1, math.floor(self.share * words * out * cin / self.length(words)))

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        kernels = energy.clamp(min=0).flatten(0, 1)  # (K, words)
        library = self.library(energy)
        kept, choice = (kernels @ library.to(kernels).T).max(1)
        stays = rank(kept, dim=0) < self.kernels(energy)
        return (library[choice] & stays[:, None]).view_as(energy) & (energy >= 0)

    def library(self, energy: torch.Tensor) -> torch.Tensor:
        """(patterns, words) bool: patterns that keep much of ``energy`` (out, in, words).

        Starts with the own patterns of the kernels that would lose most without, then assigns kernels
        to patterns and moves every pattern to the words with most energy in its kernels, in turn,
        until nothing changes. Kernels that go have no say.
        """
        kernels, count = energy.clamp(min=0).flatten(0, 1), self.kernels(energy)
        length = self.length(energy.shape[2])
        library = self._start(kernels, length)
        for _ in range(ROUNDS):
            kept, choice = (kernels @ library.to(kernels).T).max(1)
            staying = kernels * (rank(kept, dim=0) < count)[:, None]
            sums = torch.zeros_like(library, dtype=kernels.dtype).index_add_(0, choice, staying)
            used = sums.sum(1, keepdim=True) > 0
            refined = torch.where(used, rank(sums, dim=1) < length, library)
            if torch.equal(refined, library):
                break
            library = refined
        return library

    def _start(self, kernels: torch.Tensor, length: int) -> torch.Tensor:
        own = rank(kernels, dim=1) < length  # (K, words)
        most = (kernels * own).sum(1)
        chosen: list[torch.Tensor] = []
        covered = torch.zeros_like(most)
        for _ in range(self.patterns):
            pattern = own[(most - covered).argmax()]
            covered = torch.maximum(covered, kernels @ pattern.to(kernels))
            chosen.append(pattern)
        return torch.stack(chosen)

    def describe(self) -> str:
        return f"{self.share} of the words, in kernels that take one of {self.patterns} patterns or go"
