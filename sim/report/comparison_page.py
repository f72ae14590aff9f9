"""The part of ``docs/sparsity.md`` that follows from measured rows, and putting it into the page.

``python -m sim.report.comparison_page ROWS.json PICTURE PAGE.md`` does so; running it again changes nothing.
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

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
"""Around the section in a page."""


def section(found: Sequence[Row], picture: str) -> str:
    """Heading, table, plot, and the command that trained each row, with the marks around it.

    ``picture``: the plot's path, as seen from the page.
    """
    network = quote.markdown(found[0]["network"])
    commands = [row["command"] for row in found if row.get("command")]
    parts = [
        BEGIN,
        f"## Measured: {network}",
        f"{clocks_of(found)} Accuracies are percent of the test set.",
        markdown(found),
        f"![Accuracy of the integer model against clocks, {network}]({urlquote(picture)})",
    ]
    if commands:
        parts += ["The commands that trained them, in the order of the table:", quote.block(commands, "sh")]
    return "\n\n".join([*parts, END])


def put(page: str, made: str) -> str:
    """``page`` with the section ``made`` in place of the one it has, or after all else if it has none."""
    if BEGIN not in page:
        return f"{page.rstrip()}\n\n{made}\n"
    before, _, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not end:
        raise ArtifactError(f"the page has {BEGIN} but no {END}: write it after the section")
    return before + made + after


def main(arguments: Sequence[str] | None = None) -> int:
    """Rewrite the section of a page; returns an exit code."""
    parser = argparse.ArgumentParser(prog="python -m sim.report.comparison_page", description=__doc__)
    parser.add_argument("rows", type=Path, help="what 'spec2 compare --out' wrote")
    parser.add_argument("picture", type=Path, help="what 'spec2 compare --plot' wrote")
    parser.add_argument("page", type=Path, help="the Markdown page")
    given = parser.parse_args(arguments)
    picture = Path(os.path.relpath(given.picture, given.page.parent)).as_posix()
    try:
        found = read_rows(given.rows)
        text = put(given.page.read_text(encoding="utf-8"), section(found, picture))
        write(given.page, text)
    except (OSError, ValueError, Spec2Error) as error:
        print(f"comparison_page: {quote.line(str(error))}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
