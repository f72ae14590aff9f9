"""``spec2 doctor``."""

from __future__ import annotations

import typer

from hw.commands.console import emit
from hw.commands.options import Json
from hw.util.tables import table


def doctor(as_json: Json = False) -> None:
    """Show what is installed, and how to get what is missing. Exit code 1 when something is.

    What only makes or loads bitstreams is optional: without it the exit code stays 0.

    **Example**

        spec2 doctor
    """
    from bitstreams.tools.doctor import examine, python
    from hw.util import caches

    findings = examine()
    missing = {False: "missing", True: "missing, optional"}
    rows = [
        (f.need.name, f.found or f"{missing[f.need.optional]}: {f.need.remedy}", f.need.used_by)
        for f in findings
    ]
    cache_folder = str(caches.folder())
    data = {
        "python": python(),
        "caches": cache_folder,
        "needs": {
            f.need.name: {"found": f.found, "remedy": f.need.remedy, "optional": f.need.optional}
            for f in findings
        },
    }
    rows.insert(0, ("python", python(), "everything"))
    rows.insert(1, ("caches", cache_folder, "generate, simulate, synth"))
    emit(as_json, data, table(["needed", "found", "used by"], rows))
    if any(f.lacking for f in findings):
        raise typer.Exit(1)
