"""Files: no devices in their place when they are read, and written whole or not at all: after a full disk, or
a kill, what was there before is still there."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hw.util.errors import ArtifactError

LOG = logging.getLogger(__name__)


def regular(path: Path | str) -> Path:
    """``path``, unless it is a device or a pipe, which might never end: then ``ArtifactError``.

    What the caller names below ``/dev`` is his own (``/dev/stdin``, a shell's ``<(...)``). Raises ``OSError``
    where there is nothing.
    """
    path = Path(path)
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode) or path.parts[:2] in (("/", "dev"), ("/", "proc"))):
        raise ArtifactError(f"{path} is no file but a device or a pipe: name a file")
    return path


def bounded(path: Path | str, most: int) -> bytes:
    """The bytes of a file (:func:`regular`), or the first ``most`` + 1 of them where it has more.

    What is set aside follows the file: ``read(most)`` itself would ask for all of ``most``.
    """
    parts, left = [], most + 1
    with regular(path).open("rb") as file:
        while part := file.read(min(left, 1 << 20)):
            parts.append(part)
            left -= len(part)
    return b"".join(parts)


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """Give a new file's path beside ``path``; what the block writes there takes the place of ``path``.

    Folders on the way are made. When the block raises, nothing has changed; an ``OSError`` becomes an
    ``ArtifactError`` that names ``path``. What is no file (``/dev/stdout``) is written to as it is.
    """
    target = Path(path).resolve()  # a link stays, the file that it leads to is replaced
    with _writing(target.parent, path):
        if target.exists() and not target.is_file():
            yield target
            return
        with unfinished(target.parent, target.name, Path.touch) as part:
            yield part
            part.replace(target)
            LOG.debug("wrote %s", target)


@contextmanager
def together(folder: Path | str, stale: Iterable[str]) -> Iterator[Path]:
    """Give a new folder inside ``folder``; the files that the block writes there move up all at once.

    stale: patterns of what an earlier call may have left in ``folder``: it goes unless it was written again.
    When the block raises, nothing has changed; an ``OSError`` becomes an ``ArtifactError`` that names
    ``folder``.
    """
    folder = Path(folder)
    with _writing(folder, folder), unfinished(folder, "", Path.mkdir) as part:
        yield part
        new = {path.name for path in part.iterdir()}
        for name in new:
            (part / name).replace(folder / name)
        for old in {path for pattern in stale for path in folder.glob(pattern)}:
            if old.name not in new:
                old.unlink()
        LOG.info("wrote %d files into %s", len(new), folder)


# --- parts ----------------------------------------------------------------------------------------------

NO_LOCKS = -1
"""In place of a lock where the file system has none."""


@contextmanager
def unfinished(folder: Path, name: str, make: Callable[[Path], object]) -> Iterator[Path]:
    """Make a part ``NAME.xxxxxxxx.part`` in ``folder`` (by ``Path.touch`` or ``Path.mkdir``); it is gone
    after the block unless it was moved.

    Whoever makes one holds a lock on it. A killed process leaves its part without one, and the next that
    writes the same removes it. Numbers of processes would not tell: every container has a first one.
    """
    clear(folder, rf"{re.escape(name)}\.[0-9a-f]+\.part")
    held = None
    while held is None:
        part = folder / f"{name}.{secrets.token_hex(4)}.part"
        make(part)
        held = lock(part)  # None: another process has taken it for one that was left
    try:
        yield part
    finally:
        _remove(part)
        if held != NO_LOCKS:
            os.close(held)


@contextmanager
def temporary(root: Path | str | None = None) -> Iterator[Path]:
    """Give an empty folder among temporary files (in ``root``) that no other user can read. It is gone after
    the block; one that a killed process left goes with the next."""
    with unfinished(Path(root or tempfile.gettempdir()), "spec2", lambda path: path.mkdir(0o700)) as folder:
        yield folder


def clear(folder: Path, pattern: str) -> None:
    """Remove from ``folder`` what no process has locked of all that matches a regular expression."""
    with suppress(OSError):
        for old in folder.iterdir():
            if re.fullmatch(pattern, old.name) and (held := lock(old)) not in (None, NO_LOCKS):
                _remove(old)
                os.close(held)


def lock(path: Path) -> int | None:
    """``path``, open and locked until it is closed; None when another process has locked or removed it."""
    try:
        held = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.lexists(path):
            return held
    except BlockingIOError:
        pass
    except OSError:
        os.close(held)
        return NO_LOCKS
    os.close(held)
    return None


@contextmanager
def alone(folder: Path, what: str) -> Iterator[None]:
    """``folder``, made and locked against other processes that make the same, ``what``; it goes after the
    block if there is nothing in it. Raises ``ArtifactError`` where it is locked or cannot be made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ArtifactError(f"cannot write {folder}: {error.strerror or error}") from None
    held = lock(folder)
    if held is None:
        raise ArtifactError(
            f"another process is making {what} ({folder} is locked, or no folder of ours): wait for it, or "
            "name another file"
        )
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()
        if held != NO_LOCKS:
            os.close(held)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


@contextmanager
def _writing(folder: Path, what: Path | str) -> Iterator[None]:
    """Make ``folder``, which ``what`` is to be written into; unmake it, while empty, when that fails."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        if isinstance(error, OSError):
            raise ArtifactError(f"cannot write {what}: {error.strerror or error}") from None
        raise


def write(path: Path | str, content: str | bytes) -> None:
    """Write a file of text (UTF-8) or bytes. Raises ``ArtifactError`` if the place cannot be written."""
    with replacing(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_json(path: Path | str, data: Any) -> None:
    """Write plain data as JSON. Raises ``ArtifactError`` if the place cannot be written."""
    write(path, json.dumps(data, indent=1) + "\n")


def inside(folder: Path | str, name: str) -> Path:
    """``folder / name``, to write a file into a folder that may be somebody else's.

    A link in its place is removed: it may lead anywhere, and :func:`replacing` would follow it there.
    """
    path = Path(folder) / name
    if path.is_symlink():
        path.unlink()
    return path
