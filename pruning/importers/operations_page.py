"""The tables of operations of ``docs/own_networks.md``, and putting them into the page.

``python -m pruning.importers.operations_page PAGE.md`` does so, and prints them without a page; running it
again changes nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hw.contract.network import layer_table
from hw.util import pages, quote
from hw.util.errors import Spec2Error
from hw.util.files import write
from hw.util.tables import table
from pruning.importers.operations import OPERATIONS

BEGIN, END = "<!-- operations: begin -->", "<!-- operations: end -->"
"""Around the tables in a page."""


def forms() -> str:
    """What is taken of every operation, and what becomes of it."""
    rows = [(form.what, form.taken, form.becomes) for operation in OPERATIONS for form in operation.forms]
    return table(("operation", "what is taken", "what it becomes"), rows)


def names() -> str:
    """How operations are called where they come from."""
    rows = [(kind, *map(", ".join, (modules, torch, onnx))) for kind, modules, torch, onnx, _ in OPERATIONS]
    return table(("operation", "modules of torch.nn", "torch, as traced", "ONNX"), rows)


def layers() -> str:
    """What the hardware runs."""
    return table(("of a layer", "what there is"), layer_table.rows())


def section() -> str:
    """All of it, with the marks around it."""
    parts = [
        BEGIN,
        forms(),
        "By their names, as graphs have them (functions and methods of torch are traced to these):",
        names(),
        "And this is what a layer of the hardware has; everything above is written as such layers:",
        layers(),
        END,
    ]
    return "\n\n".join(parts)


def put(page: str) -> str:
    """``page`` with the section of today in place of the one that it has."""
    return pages.put(page, BEGIN, section(), END)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables, or put them into a page; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m pruning.importers.operations_page", description=__doc__)
    parser.add_argument("page", type=Path, nargs="?", help="the Markdown page")
    page = parser.parse_args(arguments).page
    if page is None:
        print(section())
        return 0
    try:
        write(page, put(page.read_text(encoding="utf-8")))
    except (OSError, ValueError, Spec2Error) as error:
        print(f"operations_page: {quote.line(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
