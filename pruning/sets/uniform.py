"""n:m sparsity over input channels, the same everywhere."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import torch
import torch.nn.functional as F

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning.sets.base import ConstraintSet, rank, whole


@dataclass(frozen=True)
class Uniform(ConstraintSet):
    """Per output channel and word, of every ``m`` consecutive input channels the ``n`` largest. Exact.

    A group of g < m channels keeps ceil(n·g/m).
    """

    kind: ClassVar[str] = "uniform"

    n: int
    m: int = 8

    def __post_init__(self) -> None:
        check_n_of_m(self.kind, self.n, self.m)

    @classmethod
    def of(cls, sparsity: Sparsity) -> Uniform:
        return cls(whole(sparsity), sparsity.group)

    @property
    def share(self) -> Fraction:
        return Fraction(self.n) / self.m

    def mask(self, energy: torch.Tensor) -> torch.Tensor:
        grouped = group(energy, self.m)  # (out, G, m, words)
        sizes = (grouped[0] >= 0).sum(1)  # (G, words)
        limit = (self.n * sizes + self.m - 1) // self.m
        return ungroup((rank(grouped, dim=2) < limit[:, None]) & (grouped >= 0), energy)

    def describe(self) -> str:
        return f"{self.n} of {self.m} input channels, per output channel and word"


def check_n_of_m(kind: str, n: float, m: int) -> None:
    """Raise ``ConfigError`` unless 0 < ``n`` <= ``m``."""
    if m < 1:
        raise ConfigError(f"{kind} sparsity needs a group of at least 1 input channel, not {m}")
    if not 0 < n <= m:
        raise ConfigError(f"{kind} sparsity keeps more than 0 and at most {m}, not {n}")


def group(energy: torch.Tensor, m: int) -> torch.Tensor:
    """(out, in, words) to (out, ceil(in/m), m, words), filled up with absent channels."""
    return F.pad(energy, (0, 0, 0, -energy.shape[1] % m), value=-1.0).unflatten(1, (-1, m))


def ungroup(grouped: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`group`, for an energy of the shape of ``like``."""
    return grouped.flatten(1, 2)[:, : like.shape[1]]
