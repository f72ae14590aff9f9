"""The table of explored networks of ``docs/exploring.md``, and putting it into the page.

``python -m sim.report.networks_page PAGE.md EXPLORE.json ...`` does so, ``make explore-networks`` explores
first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from hw.util import documents, pages, quote
from hw.util.errors import Spec2Error
from hw.util.files import write
from hw.util.tables import table

BEGIN, END = "<!-- networks: begin -->", "<!-- networks: end -->"
"""Around the table in a page."""

HEADS = (
    "network",
    "N × P",
    "clocks",
    "ms",
    "DSP slices",
    "RAMB36 blocks",
    "UltraRAM blocks",
    "layers bound by",
)

BOUND_BY, AFTER = "layers bound by: ", "; images in"
"""Around the shares in a sentence of :mod:`hw.explore.report`."""


class _Config(msgspec.Struct):
    rows: int
    lanes: int


class _Chosen(msgspec.Struct):
    config: _Config
    cycles: int
    ms: float
    needs: dict[str, float]


class Explored(msgspec.Struct):
    """What of ``explore.json`` the table shows."""

    network: str
    chosen: _Chosen
    limits: list[str]


def read(path: Path) -> Explored:
    """What ``spec2 explore`` wrote. Raises ``ArtifactError``."""
    return documents.decode(documents.needed(path), Explored, str(path))


def markdown(found: Sequence[Explored]) -> str:
    """The table, a row for every network in the order given."""
    return table(HEADS, [_row(item) for item in found])


def _row(found: Explored) -> tuple[Any, ...]:
    chosen = found.chosen
    binds = [said.partition(BOUND_BY)[2].partition(AFTER)[0] for said in found.limits if BOUND_BY in said]
    return (
        found.network,
        f"{chosen.config.rows} × {chosen.config.lanes}",
        chosen.cycles,
        f"{chosen.ms:.2f}",
        *(f"{chosen.needs.get(name, 0):,g}" for name in ("dsp", "bram36", "uram")),
        "; ".join(binds),
    )


def put(page: str, made: str) -> str:
    """``page`` with ``made`` between its marks."""
    return pages.put(page, BEGIN, f"{BEGIN}\n\n{made}\n\n{END}", END)


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the table of a page; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.report.networks_page", description=__doc__)
    parser.add_argument("page", type=Path, help="the Markdown page")
    parser.add_argument("found", type=Path, nargs="+", help="what 'spec2 explore' wrote, one for a network")
    given = parser.parse_args(arguments)
    try:
        made = markdown([read(path) for path in given.found])
        write(given.page, put(given.page.read_text(encoding="utf-8"), made))
    except (OSError, ValueError, Spec2Error) as error:
        print(f"networks_page: {quote.line(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
