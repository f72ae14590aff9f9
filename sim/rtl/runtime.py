"""Verilator's runtime, compiled once: it is the same for every design and costs more than a small one.

A simulator links ``verilated*.o`` (the kernel and the VPI), about 17 CPU seconds of g++ on a desktop. They
are kept in the user's cache folder under a key of the tools and flags they come from.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path

from hw.util import caches
from hw.util.files import unfinished

PATTERN = "verilated*.o"


def cache_folder(*identity: str) -> Path:
    """Where the objects for a build of this ``identity`` (versions, compiler, flags) are kept."""
    key = hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]
    return caches.folder() / "spec2" / f"verilator-{key}"


def restore(folder: Path, build_dir: Path) -> None:
    """Put the cached objects, if any, where make looks for them."""
    for source in folder.glob(PATTERN):
        # A new time stamp, younger than every source: make takes the object as it is.
        shutil.copyfile(source, build_dir / source.name)


def keep(folder: Path, build_dir: Path) -> None:
    """Cache the objects of a finished build; whoever is first wins. A read-only home is no error."""
    if folder.exists():
        return
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with unfinished(folder.parent, folder.name, Path.mkdir) as part:
            for source in build_dir.glob(PATTERN):
                shutil.copyfile(source, part / source.name)
            part.rename(folder)
