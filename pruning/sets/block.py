"""Blocks of output channels that lose the same words (arXiv:2001.08357).

BLK-REW cuts a layer's matrix into blocks and prunes rows and columns of each block on their own. A column
of the matrix is an input channel's word here, so a pruned column of a block of N output channels is a
step of the array less, and one that stays is a step with every row busy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F

from hw.contract.artifact import Sparsity
from pruning.sets.base import ShareSet, budget, check_count, ratio, take


@dataclass(frozen=True)
class Block(ShareSet):
    """Per (block of ``rows`` output channels, input channel, word): all words stay or all go.

    Keeps the blocks with the most energy per word. Exact when ``rows`` divides the output channels; else
    less than the energy of one block is lost to the smaller ones at the end.
    """

    kind: ClassVar[str] = "block"

    rows: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_count(self.kind, "a block", self.rows)

    @classmethod
    def of(cls, sparsity: Sparsity) -> Block:
        return cls(ratio(sparsity), sparsity.block)

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        gain, size = self._blocks(energy)  # (K, in, words)
        kept = take(gain.flatten(), size.flatten(), budget(self.share, energy)).view_as(gain)
        return self._expand(kept, energy) & (energy >= 0)

    def groups(self, energy: torch.Tensor) -> torch.Tensor:
        gain, size = self._blocks(energy)
        return self._expand(gain / size.clamp(min=1), energy)

    def _blocks(self, energy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Energy and number of words of every block, (K, in, words) each."""
        padding = (0, 0, 0, 0, 0, -energy.shape[0] % self.rows)
        blocks = F.pad(energy, padding, value=-1.0).unflatten(0, (-1, self.rows))
        return blocks.clamp(min=0).sum(1), (blocks >= 0).sum(1)

    def _expand(self, blocks: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        return blocks.repeat_interleave(self.rows, dim=0)[: like.shape[0]]

    def describe(self) -> str:
        return f"{self.share} of the words, {self.rows} output channels together"
