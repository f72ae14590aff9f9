"""The kinds of sparsity by name, each at a quarter of a layer's words. Needs no torch."""

from __future__ import annotations

import math
from fractions import Fraction

from hw.contract.artifact import Sparsity
from hw.contract.config import BANKS
from hw.contract.spectrum import WORDS
from hw.util.documents import shown
from hw.util.errors import ConfigError

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


QUARTER = Fraction(1, 4)

LONGEST = 40
"""Characters of a density: Python makes no number of thousands of digits."""


def parse(scheme: str, block: int = 8) -> Sparsity:
    """The set that a recipe or the command line names: ``kind``, or ``kind-a:b`` to leave a of b words.

    ``block`` output channels share a choice, if any do. A kind alone leaves a quarter. Raises
    ``ConfigError`` for anything else; ``dense`` is a kind here.
    """
    kind, dash, density = scheme.rpartition("-") if ":" in scheme else (scheme, "", "")
    if kind == "dense" and not dash:
        return Sparsity()
    keep, _, of = density.partition(":")
    numbers = len(density) <= LONGEST and keep.isdecimal() and of.isdecimal()
    if dash and not (numbers and 0 < int(keep) <= int(of)):
        raise ConfigError(
            f"sparsity {shown(scheme)} must be KIND or KIND-a:b with 0 < a <= b, like adaptive-1:8"
        )
    return _set(kind, Fraction(int(keep), int(of)) if dash else QUARTER, block)


def quarter(kind: str, block: int = 8) -> Sparsity:
    """The set of that kind that leaves a quarter. Raises ``ConfigError`` for an unknown kind."""
    return _set(kind, QUARTER, block)


def _set(kind: str, share: Fraction, block: int) -> Sparsity:
    """The set of that kind that leaves a ``share`` of the words.

    ``filter`` keeps the share's root: of a layer between two others, whose channels go alike, the share is
    left.
    """
    words, channels = float(share * WORDS), float(share * BANKS)
    special = {
        "adaptive": Sparsity("adaptive", channels, BANKS, block),
        "uniform": Sparsity("uniform", channels, BANKS),
        "pattern": Sparsity("pattern", words, WORDS, PATTERNS),
        "block": Sparsity("block", words, WORDS, block),
        "darb": Sparsity("darb", words, WORDS, LARGEST_BLOCK),
        "filter": Sparsity("filter", math.sqrt(share) * WORDS, WORDS),
    }
    if kind not in KINDS:
        raise ConfigError(f"unknown sparsity {kind!r}: choose {', '.join(KINDS)}")
    return special.get(kind, Sparsity(kind, words, WORDS))


def fully_connected(scheme: str, block: int = 8) -> Sparsity:
    """The set for fully connected layers of a network whose convolutions get ``scheme``.

    Itself where it may be. Where channels disappear, columns: input words that no output reads. Else
    ``adaptive``. Of the same share.
    """
    kind, dash, density = scheme.rpartition("-") if ":" in scheme else (scheme, "", "")
    if kind in CONVOLUTIONS_ONLY:
        kind = "adaptive" if kind in ("kernel", "pattern") else "column"
    return parse(kind + dash + density, block)
