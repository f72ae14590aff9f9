"""Where caches go: the user's folder for them, or a private one where there is no such folder to write to.

A container that runs as a user of its own (``docker run --user``) often has neither HOME nor a line in
``/etc/passwd``. Yosys, the simulator's runtime, matplotlib and torch then fail, each in its own way.
"""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path


def folder() -> Path:
    """The folder of caches, which may not exist yet: ``$XDG_CACHE_HOME``, ``~/.cache``, or a private one."""
    return _own() or _private() / ".cache"


def environment() -> dict[str, str]:
    """The environment of this process, with a home for caches where it has none.

    Programs that keep caches get it, and the command line takes it on for what it loads itself.
    """
    if _own():
        return dict(os.environ)
    home = _private()
    return {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache")}


def _own() -> Path | None:
    named = Path(os.environ.get("XDG_CACHE_HOME") or "")
    try:
        found = named if named.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # no HOME, and a user without a name
        return None
    there = next(path for path in (found, *found.parents) if os.path.lexists(path))
    return found if there.is_dir() and os.access(there, os.W_OK | os.X_OK) else None


def _private() -> Path:
    """The same one for every command of a user. What others can write is not taken: programs lie in it."""
    path = Path(tempfile.gettempdir()) / f"spec2-{os.getuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022:
        return path
    return _of_this_process()


@functools.cache
def _of_this_process() -> Path:
    path = tempfile.mkdtemp(prefix="spec2-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return Path(path)
