"""The kinds of sparsity by name, each at a quarter of a layer's words. Needs no torch."""

from __future__ import annotations

from hw.artifact import Sparsity
from hw.errors import ConfigError
from hw.words import WORDS

PATTERNS = 8
"""Patterns in a library, as PatDNN uses (arXiv:2001.00138)."""

LARGEST_BLOCK = 16
"""Of density-adaptive blocks, in input channels: four halvings, of which a quarter is the middle."""

KINDS = (
    "adaptive",
    "uniform",
    "kernel",
    "unstructured",
    "pattern",
    "block",
    "darb",
    "filter",
    "column",
    "combined",
    "row-column",
)
"""All kinds but ``dense``; what they mean: :mod:`pruning.sets`."""

CONVOLUTIONS_ONLY = ("kernel", "pattern", "filter", "combined", "row-column")
"""Kinds that are refused for fully connected layers."""


def quarter(kind: str, block: int = 8) -> Sparsity:
    """The set of that kind that leaves a quarter; ``block`` output channels share a choice, if any do.

    ``filter`` keeps half: of a layer between two others, whose channels are halved too, a quarter is
    left. Raises ``ConfigError`` for another kind.
    """
    special = {
        "adaptive": Sparsity("adaptive", 2, 8, block),
        "uniform": Sparsity("uniform", 2, 8),
        "pattern": Sparsity("pattern", WORDS // 4, WORDS, PATTERNS),
        "block": Sparsity("block", WORDS // 4, WORDS, block),
        "darb": Sparsity("darb", WORDS // 4, WORDS, LARGEST_BLOCK),
        "filter": Sparsity("filter", WORDS // 2, WORDS),
    }
    if kind not in KINDS:
        raise ConfigError(f"unknown sparsity {kind!r}: choose {', '.join(KINDS)}")
    return special.get(kind, Sparsity(kind, WORDS // 4, WORDS))


def fully_connected(kind: str, block: int = 8) -> Sparsity:
    """The set for fully connected layers of a network whose convolutions get ``kind``.

    Itself where it may be. Where channels disappear, columns: input words that no output reads. Else
    ``adaptive``.
    """
    if kind not in CONVOLUTIONS_ONLY:
        return quarter(kind, block)
    return quarter("adaptive" if kind in ("kernel", "pattern") else "column", block)
