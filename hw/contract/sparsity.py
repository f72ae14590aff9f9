"""The sparsity patterns, a row each: all that is known of one but how its masks are found.

The command line, the documents, the Makefile, tables and plots read these rows; the masks are those of the
constraint sets of the same names (:mod:`pruning.sets`). Needs no numpy: the help is instant.

``python -m hw.contract.sparsity`` prints the names of all but ``dense``, ``--markdown`` the table of
``docs/sparsity.md``.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from hw.util.tables import table

OUTPUTS = -1
"""As ``SparsityPattern.block``: so many output channels as the recipe's ``block`` says."""


@dataclass(frozen=True)
class SparsityPattern:
    """Which words of a layer a pattern keeps.

    stays: what, where a quarter of the words stays; a phrase of the help. rank: its position in
    comparisons, which go from the freest pattern to those that leave a smaller network. regular: whether
    the array's steps are full with one address for all banks. fully_connected: the pattern that fully
    connected layers get in its place, where it is for convolutions only. pointwise: likewise that of
    pointwise convolutions, whose kernels have one word, where it chooses among those of a kernel. paper: its
    origin, on arXiv.

    For ``Sparsity`` (:mod:`hw.contract.artifact`): ``per`` is what ``keep`` of ``group`` counts, the words
    of a kernel or the input channels of the banks; ``block`` is stored as it is, or :data:`OUTPUTS`.
    rooted: of channels the share's root stays; of a layer between two others, whose channels go alike, the
    share is left.
    """

    name: str
    stays: str
    rank: int
    regular: bool = False
    fully_connected: str | None = None
    pointwise: str | None = None
    per: Literal["words", "channels"] = "words"
    block: int = 0
    rooted: bool = False
    paper: str = ""


_ADAPTIVE = (
    "2 of 8 input channels on average, chosen per block of outputs and word "
    "(the default: the array is always full)"
)

PATTERNS = (
    SparsityPattern("dense", "all words", 0),
    SparsityPattern("adaptive", _ADAPTIVE, 40, regular=True, per="channels", block=OUTPUTS),
    SparsityPattern("uniform", "2 of 8 everywhere", 30, regular=True, per="channels", paper="2104.08378"),
    SparsityPattern(
        "kernel",
        "8 of 32 words per kernel",
        20,
        fully_connected="adaptive",
        pointwise="adaptive",
        paper="1910.11103",
    ),
    SparsityPattern("unstructured", "the largest words of a layer", 10, paper="1506.02626"),
    SparsityPattern(
        "pattern",
        "one of 8 word patterns in half of the kernels",
        50,
        fully_connected="adaptive",
        pointwise="adaptive",
        block=8,  # patterns in the library, as PatDNN has them
        paper="2001.00138",
    ),
    SparsityPattern("block", "words that a block of outputs shares", 60, block=OUTPUTS, paper="2001.08357"),
    SparsityPattern(
        "darb",
        "the largest word of every 1 to 16 input channels",
        80,
        block=16,  # input channels of the largest block: four halvings, of which a quarter is the middle
        paper="1911.08020",
    ),
    SparsityPattern(
        "filter",
        "half of the output channels",
        90,
        fully_connected="column",
        rooted=True,
        paper="1911.02007",
    ),
    SparsityPattern("column", "words that all outputs share", 100, paper="1911.02007"),
    SparsityPattern(
        "combined",
        "filters and columns together, evenly",
        110,
        fully_connected="column",
        paper="1911.02007",
    ),
    SparsityPattern(
        "row-column",
        "filters and columns together, as it keeps most",
        70,
        fully_connected="column",
        paper="2001.08839",
    ),
)
"""In the order of the help."""

BY_NAME = {pattern.name: pattern for pattern in PATTERNS}

NAMES = tuple(name for name in BY_NAME if name != "dense")
"""All that prune, in the order of the help."""

COMPARED = tuple(pattern.name for pattern in sorted(PATTERNS, key=lambda pattern: pattern.rank))
"""All, in the order of comparisons."""


def sentence() -> str:
    """What stays in each pattern, for the help: Markdown."""
    return "; ".join(f"*{name}* {BY_NAME[name].stays}" for name in NAMES)


def markdown() -> str:
    """The table of ``docs/sparsity.md``."""
    rows = []
    for name in COMPARED:
        item = BY_NAME[name]
        steps = "regular" if item.regular else "scheduled"
        paper = f"arXiv:{item.paper}" if item.paper else ""
        rows.append((name, item.stays, steps, item.fully_connected or name, paper))
    return table(("pattern", "a quarter is", "steps", "in fully connected layers", "after"), rows)


if __name__ == "__main__":
    print(markdown() if "--markdown" in sys.argv[1:] else " ".join(COMPARED[1:]))
