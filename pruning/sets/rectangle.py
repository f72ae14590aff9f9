"""Rows and columns at once: what stays of a layer is a smaller layer."""

from __future__ import annotations

import math
from typing import ClassVar

import torch

from pruning.sets.base import ShareSet, budget, rank
from pruning.sets.lines import column_mean, row_energy, row_mean

ROUNDS = 10
"""Most rounds of choosing rows for columns and columns for rows; none makes it worse."""

SPLITS = 8
"""``row-column`` tries this many splits besides all rows, in steps of equal ratio."""


class Rectangle(ShareSet):
    """Rows × columns of a layer (:mod:`pruning.sets.lines`), together at most ``share`` of its words.

    Finding the best rectangle is NP-hard. With the number of rows given, rows and columns are chosen in
    turn, each the best for the other, until nothing changes: a local optimum.
    """

    exact: ClassVar[bool] = False
    convolutions_only: ClassVar[bool] = True
    removes_channels: ClassVar[bool] = True

    def groups(self, energy: torch.Tensor) -> torch.Tensor:
        """A word is pulled by its row and by its column: 1/group = 1/row + 1/column."""
        rows, columns = row_mean(energy), column_mean(energy)
        return rows * columns / (rows + columns).clamp(min=torch.finfo(energy.dtype).tiny)


class Combined(Rectangle):
    """Filter and column sparsity combined (arXiv:1911.02007), each to the square root of the ``share``.

    Of a layer between two others filters leave the square of their own share, since its inputs go as well:
    they keep the fourth root of the whole. With the square root nothing would be left for columns to do.
    """

    kind: ClassVar[str] = "combined"

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        count = max(1, math.floor(float(self.share) ** 0.25 * energy.shape[0]))
        return rectangle(energy, count, budget(self.share, energy))

    def describe(self) -> str:
        return f"{self.share} of the words: output channels and columns, evenly"


class RowColumn(Rectangle):
    """Rows and columns in the proportion that keeps most energy, as SS-Auto leaves it to the layer
    (arXiv:2001.08839): between all rows and all columns, :data:`SPLITS` steps of equal ratio are tried.
    """

    kind: ClassVar[str] = "row-column"

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        limit = budget(self.share, energy)
        shares = [float(self.share) ** (step / SPLITS) for step in range(SPLITS + 1)]
        counts = sorted({max(1, math.floor(share * energy.shape[0])) for share in shares}, reverse=True)
        masks = [rectangle(energy, count, limit) for count in counts]
        return max(masks, key=lambda mask: float((energy.double() * mask).sum()))

    def describe(self) -> str:
        return f"{self.share} of the words: output channels and columns, in the best proportion"


def rectangle(energy: torch.Tensor, rows: int, limit: int) -> torch.Tensor:
    """(out, in, words) bool: ``rows`` output channels and as many columns as keep ``limit`` words at most.

    Every output channel of ``energy`` has the same words (:mod:`pruning.sets`).
    """
    present = energy[0] >= 0  # (in, words)
    columns = min(limit // rows, int(present.sum()))
    weight = energy.clamp(min=0)
    row = rank(row_energy(energy), dim=0) < rows
    column = torch.zeros_like(present)
    for _ in range(ROUNDS):
        before = row, column
        gain = weight[row].sum(0).masked_fill(~present, -1.0)
        column = (rank(gain.flatten(), dim=0) < columns).view_as(present)
        row = rank(weight[:, column].sum(1), dim=0) < rows
        if torch.equal(row, before[0]) and torch.equal(column, before[1]):
            break
    return row[:, None, None] & column & present
