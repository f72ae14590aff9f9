"""A small library of word patterns, one per kernel, and kernels that go altogether.

PatDNN (arXiv:2001.00138) and pattern-based sparsity (arXiv:2001.07710) let every 3×3 kernel take one of a
few patterns of 4 entries, found by counting the kernels' own largest entries, and prune whole kernels
(connectivity). A spectral kernel has 32 words, and nearly every kernel's own pattern is unique: counting
tells little there. So the counted library is refined by the energy it keeps, and competes with another.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from pruning.sets.base import ShareSet, check_count, rank, ratio

ROUNDS = 10
"""Most refinements of a library; few are needed, and none makes it worse."""


@dataclass(frozen=True)
class Pattern(ShareSet):
    """Kernels take one of ``patterns`` patterns of equally many words, or go. A heuristic.

    The pruned ``share`` is split evenly between words and kernels: a pattern has sqrt(share) of a
    kernel's words, and as many kernels stay as the share allows. Of 9 positions in space a quarter are
    patterns of 4, as in the papers; of 32 words, of 16. Given the library, choosing kernels and their
    patterns is exact; the library is a local optimum.
    """

    kind: ClassVar[str] = "pattern"
    exact: ClassVar[bool] = False
    convolutions_only: ClassVar[bool] = True
    among_words: ClassVar[bool] = True

    patterns: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
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
        kept, choice = assign(kernels, library)
        stays = rank(kept, dim=0) < self.kernels(energy)
        return (library[choice] & stays[:, None]).view_as(energy) & (energy >= 0)

    def library(self, energy: torch.Tensor) -> torch.Tensor:
        """(patterns, words) bool: patterns that keep much of ``energy`` (out, in, words).

        Refines two libraries, the patterns that kernels have most often and those of the kernels that
        would lose most without, and returns the one that keeps more.
        """
        kernels, count = energy.clamp(min=0).flatten(0, 1), self.kernels(energy)
        own = rank(kernels, dim=1) < self.length(energy.shape[2])
        starts = (grown(kernels, own, self.patterns), counted(own, self.patterns))
        libraries = [refined(kernels, library, count) for library in starts]

        def kept(library: torch.Tensor) -> float:
            return float(assign(kernels, library)[0].double().topk(count).values.sum())

        return max(libraries, key=kept)

    def describe(self) -> str:
        return f"{self.share} of the words, in kernels that take one of {self.patterns} patterns or go"


def assign(kernels: torch.Tensor, library: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """For every kernel (K, words): the energy its best pattern keeps, and that pattern's number."""
    best = (kernels @ library.to(kernels).T).max(1)
    return best.values, best.indices


def refined(kernels: torch.Tensor, library: torch.Tensor, count: int) -> torch.Tensor:
    """``library`` after assigning kernels to patterns and moving every pattern to the words with most
    energy in its kernels, in turn, until nothing changes. All but the best ``count`` kernels have no say.
    """
    length = int(library[0].sum())
    for _ in range(ROUNDS):
        kept, choice = assign(kernels, library)
        staying = kernels * (rank(kept, dim=0) < count)[:, None]
        sums = torch.zeros_like(library, dtype=kernels.dtype).index_add_(0, choice, staying)
        used = sums.sum(1, keepdim=True) > 0
        moved = torch.where(used, rank(sums, dim=1) < length, library)
        if torch.equal(moved, library):
            break
        library = moved
    return library


def grown(kernels: torch.Tensor, own: torch.Tensor, patterns: int) -> torch.Tensor:
    """``patterns`` kernels' ``own`` patterns (K, words), each that of the kernel which loses most so far."""
    most = (kernels * own).sum(1)
    covered = torch.zeros_like(most)
    chosen = []
    for _ in range(patterns):
        pattern = own[(most - covered).argmax()]
        covered = torch.maximum(covered, kernels @ pattern.to(kernels))
        chosen.append(pattern)
    return torch.stack(chosen)


def counted(own: torch.Tensor, patterns: int) -> torch.Tensor:
    """The ``patterns`` patterns that are most often among the kernels' ``own`` (K, words)."""
    distinct, times = own.unique(dim=0, return_counts=True)
    order = times.argsort(descending=True, stable=True)
    return distinct[order[torch.arange(patterns) % len(order)]]  # with fewer, some come twice
