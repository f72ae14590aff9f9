"""Density-adaptive regular blocks with block-max masking (DARB, arXiv:1911.08020).

A row of the matrix is cut into blocks of consecutive entries, and of each block the largest entry stays.
Rows differ in how many entries matter, so each row has a block size of its own, a power of two. A row is
here an output channel's word, its entries the input channels: words differ in density far more than
channels do, and a block of 8 input channels is one entry per step of the array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning.sets.base import ShareSet, budget, ratio, take
from pruning.sets.uniform import group, ungroup
from pruning.sets.unstructured import Unstructured


@dataclass(frozen=True)
class Darb(ShareSet):
    """Per (output channel, word): the largest of every b consecutive input channels, b = 1, 2 .. ``largest``.

    A heuristic. A row starts with the smallest b that keeps no more words than unstructured pruning of
    the layer leaves it (or with nothing, where that is too few for any b); what then remains of the
    ``share`` halves the blocks of the rows where that gains most per word, until no row's next step fits.
    """

    kind: ClassVar[str] = "darb"
    exact: ClassVar[bool] = False

    largest: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.largest < 1 or self.largest & (self.largest - 1):
            raise ConfigError(
                f"darb sparsity needs a largest block that is a power of two, not {self.largest}"
            )

    @classmethod
    def of(cls, sparsity: Sparsity) -> Darb:
        return cls(ratio(sparsity), sparsity.block)

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        masks = self._masks(energy)
        counts = masks.sum(2)  # (L, out, words)
        kept = torch.stack([(energy * mask).sum(1) for mask in masks])
        level = self.levels(
            kept, counts, Unstructured(self.share).mask(energy).sum(1), budget(self.share, energy)
        )
        chosen = level[None, :, None].expand(1, *energy.shape)
        return masks.gather(0, chosen)[0]

    def _masks(self, energy: torch.Tensor) -> torch.Tensor:
        """(L, out, in, words) bool: nothing, then the masks for b = ``largest`` .. 4, 2, 1."""
        masks = [torch.zeros_like(energy, dtype=torch.bool)]
        size = self.largest
        while size:
            blocks = group(energy, size)  # (out, G, b, words)
            first = blocks.argmax(2, keepdim=True)
            best = torch.zeros_like(blocks, dtype=torch.bool).scatter_(2, first, True) & (blocks >= 0)
            masks.append(ungroup(best, energy))
            size //= 2
        return torch.stack(masks)

    @staticmethod
    def levels(kept: torch.Tensor, counts: torch.Tensor, density: torch.Tensor, limit: int) -> torch.Tensor:
        """The level of every row, (out, words).

        Parameters: energy ``kept`` and ``counts`` of words per level, (L, out, words), both rising;
        ``density`` (out, words), the words that a row would keep without any structure; ``limit``, the
        words of the layer.
        """
        level = (counts <= density).sum(0) - 1
        last = len(counts) - 1
        while True:
            here, following = level[None], (level + 1).clamp(max=last)[None]
            gain = (kept.gather(0, following) - kept.gather(0, here))[0]
            size = (counts.gather(0, following) - counts.gather(0, here))[0]
            # Where a finer block holds no more words (at the ends of a row) the step is free.
            free = (size == 0) & (level < last)
            left = limit - int(counts.gather(0, here).sum())
            step = free | take(gain.flatten(), size.flatten(), left).view_as(level)
            if not step.any():
                return level
            level = level + step

    def describe(self) -> str:
        return f"{self.share} of the words, the largest of every block of 1 to {self.largest} input channels"
