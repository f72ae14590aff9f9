"""``--profile``: where the time of a command goes, function by function."""

from __future__ import annotations

import cProfile
import io
import pstats
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw.commands import console
from hw.util import quote
from hw.util.files import replacing

SHOWN = 10
"""Functions that are printed."""


@contextmanager
def profiled(file: Path | None) -> Iterator[None]:
    """Profile the block into ``file``, for :mod:`pstats` and what reads its files; its costliest functions go
    to stderr. Of this process and thread alone. Raises ``ArtifactError``, before the block, if the file
    cannot be written."""
    if file is None:
        yield
        return
    with replacing(file) as part:
        profile = cProfile.Profile()
        profile.enable()
        try:
            yield
        finally:
            profile.disable()
            profile.dump_stats(part)
            said = io.StringIO()
            pstats.Stats(profile, stream=said).sort_stats("tottime").print_stats(SHOWN)
            table = "\n".join(line for line in said.getvalue().splitlines() if line.strip())
            console.say(f"{quote.lines(table)}\nthe whole profile: python -m pstats {quote.shell(str(file))}")
