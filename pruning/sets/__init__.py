"""Constraint sets: which words of a layer may stay.

A set is an immutable value with a pure function, ``mask(energy)``. ``energy`` (out, in, 32) is the energy
of each word, negative where a word does not exist, as behind a small map in a fully connected layer
(which words exist is the same for all output channels); the mask (out, in, 32) says which words to keep.
Zeroing the others is the Euclidean projection on an *exact* set: the mask keeps as much energy as any
feasible mask can. For the others it is a heuristic, and their docstrings say which.

============= ====== ===================================================== =========== ==================
kind          exact  what stays                                            ``block``   after
============= ====== ===================================================== =========== ==================
kernel        yes    the largest words of every kernel                                 arXiv:1910.11103
uniform       yes    n of m input channels, per output channel and word
adaptive      yes    n:m, n per block of outputs, word, group of inputs    outputs
unstructured  yes    the largest words of the layer
pattern       no     one of a few word patterns per kernel, or nothing     patterns    arXiv:2001.00138,
                                                                                       arXiv:2001.07710
block         (yes)  a word of an input channel, for a block of outputs    outputs     arXiv:2001.08357
darb          no     the largest of every block of input channels          largest     arXiv:1911.08020
filter        yes    output channels                                                   arXiv:1911.02007
column        yes    words of input channels, the same for all outputs                 arXiv:1911.02007
combined      no     filters and columns, evenly                                       arXiv:1911.02007
row-column    no     filters and columns, in the best proportion                       arXiv:2001.08839
============= ====== ===================================================== =========== ==================

``keep`` of ``group`` in :class:`hw.contract.artifact.Sparsity` is the share of a layer's words that stay in
every kind; in ``kernel``, ``uniform`` and ``adaptive`` it is also the unit it is counted in. ``filter``
counts the layer's own words only; those of the next layer that read a removed channel go as well.

All but ``kernel`` know nothing of spectra: on ``weight.square().flatten(2)`` of (out, in, k, k) they
prune in space.
"""

from __future__ import annotations

import torch

from hw.contract.artifact import Sparsity
from hw.util.errors import ConfigError
from pruning.sets.adaptive import Adaptive
from pruning.sets.base import ConstraintSet
from pruning.sets.block import Block
from pruning.sets.darb import Darb
from pruning.sets.dense import Dense
from pruning.sets.kernel import Kernel
from pruning.sets.lines import Column, Filter
from pruning.sets.pattern import Pattern
from pruning.sets.rectangle import Combined, RowColumn
from pruning.sets.uniform import Uniform
from pruning.sets.unstructured import Unstructured

__all__ = [
    "KINDS",
    "Adaptive",
    "Block",
    "Column",
    "Combined",
    "ConstraintSet",
    "Darb",
    "Dense",
    "Filter",
    "Kernel",
    "Pattern",
    "RowColumn",
    "Uniform",
    "Unstructured",
    "check",
    "mask",
    "of",
]

KINDS: dict[str, type[ConstraintSet]] = {
    kind.kind: kind
    for kind in (
        Dense,
        Adaptive,
        Uniform,
        Kernel,
        Unstructured,
        Pattern,
        Block,
        Darb,
        Filter,
        Column,
        Combined,
        RowColumn,
    )
}


def of(sparsity: Sparsity) -> ConstraintSet:
    """The set that ``sparsity`` describes. Raises ``ConfigError`` for one that makes no sense."""
    if sparsity.kind not in KINDS:
        *others, last = KINDS
        raise ConfigError(f"unknown sparsity {sparsity.kind!r}: choose {', '.join(others)} or {last}")
    return KINDS[sparsity.kind].of(sparsity)


def check(sparsity: Sparsity) -> None:
    """Raise ``ConfigError`` unless ``sparsity`` describes a set."""
    of(sparsity)


def mask(energy: torch.Tensor, sparsity: Sparsity) -> torch.Tensor:
    """Project on the set ``sparsity`` describes. Raises ``ConfigError`` for one that makes no sense."""
    chosen = of(sparsity)
    used = (energy >= 0).any(1).any(0)  # behind a 4×4 map 8 of 32 words: spare the others the sorting
    kept = torch.zeros_like(energy, dtype=torch.bool)
    kept[..., used] = chosen.mask(energy[..., used])
    return kept
