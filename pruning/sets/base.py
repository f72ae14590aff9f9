"""What every constraint set is, and the choice that most of them come down to."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError


class ConstraintSet(ABC):
    """A set of masks. Immutable; parameters are checked on construction (``ConfigError``).

    Every set works on ``energy`` (out, in, words), which is negative where a word does not exist.
    ``words`` is 32 for spectral weights, 1 for pointwise ones and k·k for spatial ones.

    kind: its name in ``Sparsity.kind``. exact: whether :meth:`mask` is the Euclidean projection, not a
    heuristic. convolutions_only: whether it is refused for fully connected layers. among_words: whether it
    chooses among the words of a kernel, and is refused for pointwise convolutions, whose kernels have one.
    removes_channels: whether output channels may lose all their words, and are then to disappear from the
    network.
    """

    kind: ClassVar[str]
    exact: ClassVar[bool] = True
    convolutions_only: ClassVar[bool] = False
    among_words: ClassVar[bool] = False
    removes_channels: ClassVar[bool] = False

    share: Fraction
    """Of a layer's words that may stay, above 0 and at most 1."""

    @classmethod
    @abstractmethod
    def of(cls, sparsity: Sparsity) -> ConstraintSet:
        """The set whose parameters are stored in ``sparsity``."""

    @abstractmethod
    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        """(out, in, words) bool: the words to keep; never one that does not exist."""

    @abstractmethod
    def describe(self) -> str:
        """One phrase for reports: what stays."""

    def groups(self, energy: torch.Tensor) -> torch.Tensor:
        """(out, in, words): mean energy of the words that each word stays or goes with (itself included)."""
        return energy


@dataclass(frozen=True)
class ShareSet(ConstraintSet):
    """A set whose parameter is the ``share`` itself, and not a count in some unit."""

    share: Fraction

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"{self.kind} sparsity keeps a share above 0 and at most 1, not {self.share}")

    @classmethod
    def of(cls, sparsity: Sparsity) -> ShareSet:
        return cls(ratio(sparsity))


def ratio(sparsity: Sparsity) -> Fraction:
    """keep/group, 0 < ratio <= 1. Raises ``ConfigError`` for anything else."""
    kind, keep, group = sparsity.kind, sparsity.keep, sparsity.group
    if group < 1:
        raise ConfigError(
            f"{kind} sparsity keeps a share, keep of group, and needs a group of at least 1, not {group}"
        )
    if not 0 < keep <= group:
        raise ConfigError(f"{kind} sparsity keeps more than 0 and at most {group} of {group}, not {keep}")
    return Fraction(keep) / group


def whole(sparsity: Sparsity) -> int:
    """``keep`` as an integer. Raises ``ConfigError`` if it is none."""
    if sparsity.keep != int(sparsity.keep):
        raise ConfigError(
            f"{sparsity.kind} sparsity keeps a whole number, not {sparsity.keep}: only adaptive takes a mean"
        )
    return int(sparsity.keep)


def check_count(kind: str, what: str, count: int) -> None:
    """Raise ``ConfigError`` unless ``count`` is at least 1."""
    if count < 1:
        raise ConfigError(f"{kind} sparsity needs {what} of at least 1, not {count}")


def budget(share: Fraction, energy: torch.Tensor) -> int:
    """Words of a layer that may stay: the share of those that exist, rounded down."""
    return math.floor(share * int((energy >= 0).sum()))


def take(gain: torch.Tensor, size: torch.Tensor, limit: int) -> torch.Tensor:
    """Choose units of ``size`` (n,) words and ``gain`` (n,) energy, at most ``limit`` words in all.

    Takes what gains most per word and still fits, one after the other; ties in order of position.
    With equal sizes no choice keeps more energy; with unequal ones less than one unit is lost. Units
    of no words are never taken. Returns (n,) bool.
    """
    taken = torch.zeros_like(size, dtype=torch.bool)
    order = (gain / size.clamp(min=1)).argsort(descending=True, stable=True)
    order = order[size[order] > 0]
    while len(order := order[size[order] <= limit]):
        total = size[order].cumsum(0)
        fitting = int((total <= limit).sum())  # at least one, and a prefix: sizes are positive
        taken[order[:fitting]] = True
        limit -= int(total[fitting - 1])
        order = order[fitting + 1 :]  # the one after the prefix did not fit
    return taken


def rank(x: torch.Tensor, dim: int) -> torch.Tensor:
    """Rank of every element along ``dim``: 0 for the largest, ties in order of position."""
    order = x.argsort(dim=dim, descending=True, stable=True)
    positions = torch.arange(x.shape[dim], device=x.device).view(-1, *[1] * (x.dim() - 1 - dim % x.dim()))
    return torch.empty_like(order).scatter_(dim, order, positions.expand_as(order))
