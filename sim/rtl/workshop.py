"""Where make can work: it splits paths at spaces, and gives other signs a meaning of its own."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw.util.errors import ToolFailed
from hw.util.files import temporary

_PLAIN = re.compile(r"[A-Za-z0-9_./+@,=-]+")
"""Paths that make, the shell under it and compilers take for themselves."""

SHARED = ("/tmp", "/var/tmp", "/dev/shm")
"""Where a folder may be made when the user's own place for temporary files will not do either."""


@contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Give an empty folder to build in: ``folder`` itself if its path suits make, else a temporary one.

    It is gone after the block; ``folder`` stays after a failure, to be looked at. Raises ``ToolFailed`` when
    there is no place for it.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if _PLAIN.fullmatch(str(folder)):
        folder.mkdir()
        yield folder
        shutil.rmtree(folder)
        return
    with temporary(_root(folder)) as scratch:
        yield scratch


def _root(folder: Path) -> str:
    for root in (tempfile.gettempdir(), *SHARED):
        if _PLAIN.fullmatch(root) and os.access(root, os.W_OK | os.X_OK):
            return root
    raise ToolFailed(
        f"make cannot work in {folder}, whose path has spaces or other special signs, and no folder for "
        "temporary files can be written: set TMPDIR to one without such signs, or move the design"
    )


def link(name: str, target: Path | str, folder: Path) -> Path:
    """``target`` under a path that suits make: a symbolic link in ``folder``."""
    made = folder / name
    made.symlink_to(target)
    return made
