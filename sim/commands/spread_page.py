"""What a sweep measured, as the documentation keeps it: ``python -m sim.commands.spread_page FROM TO``.

Keeps the cases of ``FROM``, a ``sweep.json``, in ``TO``, and prints the table that a page is to hold
(``tests/docs/test_measured.py`` compares). Folders and single trainings stay behind: they are of one machine.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec

from hw.util.files import write_json
from hw.util.tables import table
from pruning.training.sweep.spread import cells

HEADS = {
    "dense": "dense %",
    "pruned": "float %",
    "integer": "integer %",
    "lost": "lost",
    "sensitivity": "sensitivity %",
    "specificity": "specificity %",
}
"""Columns of what was measured, by the words of the other tables."""


def markdown(cases: list[dict[str, Any]]) -> str:
    """The table of a page: a row for each case, its name without the word that all of them begin with."""
    head, rows = cells(cases)
    kept = [number for number, name in enumerate(head) if number < 2 or name in HEADS]
    names = ["sparsity", "seeds", *(HEADS[head[number]] for number in kept[2:])]
    body = [[row[number] for number in kept] for row in rows]
    return table(names, [[row[0].removeprefix("sparsity "), *row[1:]] for row in body])


def main(source: Path, target: Path) -> None:
    """Keep the cases, and print their table."""
    cases = msgspec.json.decode(source.read_bytes())["cases"]
    write_json(target, cases)
    print(markdown(cases))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
