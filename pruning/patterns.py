"""From the name of a sparsity pattern to what a layer is pruned to. Needs no torch.

The patterns and all that is known of them are in :mod:`hw.contract.sparsity`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal

from hw.contract.artifact import Sparsity
from hw.contract.config import BANKS
from hw.contract.sparsity import BY_NAME, NAMES, OUTPUTS
from hw.contract.spectrum import WORDS
from hw.util.documents import shown
from hw.util.errors import ConfigError

QUARTER = Fraction(1, 4)

LONGEST = 40
"""Characters of a density: Python makes no number of thousands of digits."""


def parse(scheme: str, block: int = 8) -> Sparsity:
    """What a recipe or the command line asks for: ``pattern``, or ``pattern-a:b`` to leave a of b words.

    ``block`` output channels share a choice, if any do. A pattern alone leaves a quarter. Raises
    ``ConfigError`` for anything else; ``dense`` is a pattern here.
    """
    name, dash, density = _split(scheme)
    if name == "dense" and not dash:
        return Sparsity()
    keep, _, of = density.partition(":")
    numbers = len(density) <= LONGEST and keep.isdecimal() and of.isdecimal()
    if dash and not (numbers and 0 < int(keep) <= int(of)):
        raise ConfigError(
            f"sparsity {shown(scheme)} must be PATTERN or PATTERN-a:b with 0 < a <= b, like adaptive-1:8"
        )
    return _of_share(name, Fraction(int(keep), int(of)) if dash else QUARTER, block)


def quarter(name: str, block: int = 8) -> Sparsity:
    """That pattern where it leaves a quarter. Raises ``ConfigError`` for an unknown one."""
    return _of_share(name, QUARTER, block)


def fully_connected(scheme: str, block: int = 8) -> Sparsity:
    """What fully connected layers get in a network whose convolutions get ``scheme``.

    The same where it may be. Where channels disappear, columns: input words that no output reads. Else
    ``adaptive``. Of the same share.
    """
    return _replaced(scheme, block, "fully_connected")


def pointwise(scheme: str, block: int = 8) -> Sparsity:
    """What pointwise convolutions get: the same, or ``adaptive`` of the same share where ``scheme`` chooses
    among the words of a kernel; theirs have one."""
    return _replaced(scheme, block, "pointwise")


def _replaced(scheme: str, block: int, where: Literal["fully_connected", "pointwise"]) -> Sparsity:
    name, dash, density = _split(scheme)
    if name in BY_NAME:
        name = getattr(BY_NAME[name], where) or name
    return parse(name + dash + density, block)


def _split(scheme: str) -> tuple[str, str, str]:
    """Name, dash and density; the last two are empty without a density."""
    return scheme.rpartition("-") if ":" in scheme else (scheme, "", "")


def _of_share(name: str, share: Fraction, block: int) -> Sparsity:
    """The pattern of that name where it leaves a ``share`` of the words."""
    if name not in NAMES:
        raise ConfigError(f"unknown sparsity {name!r}: choose {', '.join(NAMES)}")
    pattern = BY_NAME[name]
    group = BANKS if pattern.per == "channels" else WORDS
    keep = math.sqrt(share) if pattern.rooted else share
    return Sparsity(name, float(keep * group), group, block if pattern.block == OUTPUTS else pattern.block)
