"""Whole output channels (filters) or whole columns of a layer (arXiv:1911.02007).

The layer is a matrix: a row is an output channel, a column one word of one input channel. Pruned rows are
channels that disappear from the network (:mod:`pruning.quant.channel_removal`), pruned columns are words that
no step ever reads.
"""

from __future__ import annotations

import math
from typing import ClassVar

import torch

from pruning.sets.base import ShareSet, budget, rank, take


class Filter(ShareSet):
    """The ``share`` of the output channels with the most energy stay, at least one. Exact."""

    kind: ClassVar[str] = "filter"
    convolutions_only: ClassVar[bool] = True
    removes_channels: ClassVar[bool] = True

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        count = max(1, math.floor(self.share * energy.shape[0]))
        return (rank(row_energy(energy), dim=0) < count)[:, None, None] & (energy >= 0)

    def groups(self, energy: torch.Tensor) -> torch.Tensor:
        return row_mean(energy).expand_as(energy)

    def describe(self) -> str:
        return f"{self.share} of the output channels"


class Column(ShareSet):
    """The ``share`` of the columns (input channel, word) with the most energy stay. Exact."""

    kind: ClassVar[str] = "column"

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        size = (energy >= 0).sum(0)  # (in, words)
        gain = energy.clamp(min=0).sum(0)
        kept = take(gain.flatten(), size.flatten(), budget(self.share, energy)).view_as(size)
        return kept & (energy >= 0)

    def groups(self, energy: torch.Tensor) -> torch.Tensor:
        return column_mean(energy).expand_as(energy)

    def describe(self) -> str:
        return f"{self.share} of the words of the input channels, the same for all outputs"


def row_energy(energy: torch.Tensor) -> torch.Tensor:
    """(out,): energy of every output channel."""
    return energy.clamp(min=0).sum((1, 2))


def row_mean(energy: torch.Tensor) -> torch.Tensor:
    """(out, 1, 1): mean energy of an output channel's words."""
    return (row_energy(energy) / (energy >= 0).sum((1, 2)).clamp(min=1)).view(-1, 1, 1)


def column_mean(energy: torch.Tensor) -> torch.Tensor:
    """(1, in, words): mean energy of a column."""
    return energy.clamp(min=0).sum(0, keepdim=True) / (energy >= 0).sum(0, keepdim=True).clamp(min=1)
