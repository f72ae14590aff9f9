"""Constraint sets: which words of a layer may stay.

A set is an immutable value with a pure function, ``mask(energy)``. ``energy`` (out, in, 32) is the energy
of each word, negative where a word does not exist, as after a small map in a fully connected layer
(which words exist is the same for all output channels); the mask (out, in, 32) says which words to keep.
Zeroing the others is the Euclidean projection on an *exact* set: the mask keeps as much energy as any
feasible mask can. For the others it is a heuristic, and their docstrings say which.

The sparsity patterns and what stays in each are in :mod:`hw.contract.sparsity`; a pattern's set is the class
here whose ``kind`` is its name. Sets are found in all modules of this package: a new one is a file more.

``keep`` of ``group`` in :class:`hw.contract.artifact.Sparsity` is the share of a layer's words that stay in
every pattern; in ``kernel``, ``uniform`` and ``adaptive`` it is also the unit it is counted in. ``filter``
counts the layer's own words only; those of the next layer that read a removed channel go as well.

All but ``kernel`` know nothing of spectra: on ``weight.square().flatten(2)`` of (out, in, k, k) they
prune in space.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module

import torch

from hw.contract.artifact import Sparsity
from hw.contract.sparsity import BY_NAME
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
    "SETS",
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


def _found() -> dict[str, type[ConstraintSet]]:
    """The set of every pattern, in the order of the patterns; a set without a pattern comes last."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    waiting, found = [ConstraintSet], {}
    while waiting:
        candidate = waiting.pop()
        waiting += candidate.__subclasses__()
        if "kind" in vars(candidate):
            found[candidate.kind] = candidate
    return {name: found[name] for name in dict.fromkeys([*BY_NAME, *found]) if name in found}


SETS = _found()
"""By ``Sparsity.kind``."""


def of(sparsity: Sparsity) -> ConstraintSet:
    """The set that ``sparsity`` describes. Raises ``ConfigError`` for one that makes no sense."""
    if sparsity.kind not in SETS:
        *others, last = SETS
        raise ConfigError(f"unknown sparsity {sparsity.kind!r}: choose {', '.join(others)} or {last}")
    return SETS[sparsity.kind].of(sparsity)


def check(sparsity: Sparsity) -> None:
    """Raise ``ConfigError`` unless ``sparsity`` describes a set."""
    of(sparsity)


def mask(energy: torch.Tensor, sparsity: Sparsity) -> torch.Tensor:
    """Project on the set ``sparsity`` describes. Raises ``ConfigError`` for one that makes no sense."""
    chosen = of(sparsity)
    used = (energy >= 0).any(1).any(0)  # after a 4×4 map 8 of 32 words: spare the others the sorting
    kept = torch.zeros_like(energy, dtype=torch.bool)
    kept[..., used] = chosen.mask(energy[..., used])
    return kept
