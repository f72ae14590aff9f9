"""The parts of ``docs/sparsity.md`` that follow from measured rows, and putting them into the page.

``python -m sim.report.comparison_page ROWS.json PAGE.md [--picture PICTURE]`` does so; running it again
changes nothing. With a picture the section tells accuracies; without one it tells of the hardware alone, for
rows of single trainings, whose accuracies differ by as much as seeds do.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote as urlquote

from hw.util import quote
from hw.util.errors import ArtifactError, Spec2Error
from hw.util.files import write
from sim.report.comparison import Row, clocks_of, markdown, read_rows

MEASURED, HARDWARE = "measured", "hardware"
"""The sections of a page."""

OF_TRAINING = (
    "accuracy_dense",
    "accuracy_float",
    "accuracy_integer",
    "sensitivity",
    "specificity",
    "seconds",
)
"""Columns that a section of the hardware leaves out."""


def marks(kind: str) -> tuple[str, str]:
    """What stands around a section in a page."""
    return f"<!-- {kind}: begin -->", f"<!-- {kind}: end -->"


def section(found: Sequence[Row], picture: str | None = None) -> str:
    """Heading, table, plot, and the command that trained each row, with the marks around it.

    ``picture``: the plot's path, as seen from the page. Without it, the section of the hardware.
    """
    network = quote.markdown(found[0]["network"])
    commands = [row["command"] for row in found if row.get("command")]
    if picture is None:
        kind, heading = HARDWARE, f"## Clocks and bits: {network}"
        said, rows = clocks_of(found), [{**row, **dict.fromkeys(OF_TRAINING)} for row in found]
    else:
        kind, heading = MEASURED, f"## Measured: {network}"
        said, rows = f"{clocks_of(found)} Accuracies are percent of the test set.", list(found)
    begin, end = marks(kind)
    parts = [begin, heading, said, markdown(rows)]
    if picture is not None:
        parts.append(f"![Accuracy of the integer model against clocks, {network}]({urlquote(picture)})")
    if commands:
        parts += ["The commands that trained them, in the order of the table:", quote.block(commands, "sh")]
    return "\n\n".join([*parts, end])


def put(page: str, made: str, kind: str = MEASURED) -> str:
    """``page`` with the section ``made`` in place of the one of its ``kind``, or after all else if it has
    none."""
    begin, last = marks(kind)
    if begin not in page:
        return f"{page.rstrip()}\n\n{made}\n"
    before, _, rest = page.partition(begin)
    _, end, after = rest.partition(last)
    if not end:
        raise ArtifactError(f"the page has {begin} but no {last}: write it after the section")
    return before + made + after


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite a section of a page; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.report.comparison_page", description=__doc__)
    parser.add_argument("rows", type=Path, help="what 'spec2 compare --out' wrote")
    parser.add_argument("page", type=Path, help="the Markdown page")
    parser.add_argument("--picture", type=Path, help="what 'spec2 compare --plot' wrote")
    given = parser.parse_args(arguments)
    picture = given.picture and Path(os.path.relpath(given.picture, given.page.parent)).as_posix()
    try:
        made = section(read_rows(given.rows), picture)
        text = put(given.page.read_text(encoding="utf-8"), made, MEASURED if picture else HARDWARE)
        write(given.page, text)
    except (OSError, ValueError, Spec2Error) as error:
        print(f"comparison_page: {quote.line(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
