"""Files: no devices in their place when they are read, and written whole or not at all: after a full disk, or
a kill, what was there before is still there."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hw.errors import ArtifactError


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
    place = Path(path).resolve()  # a link stays, the file that it leads to is replaced
    part = place.with_name(f"{place.name}.{os.getpid()}.part")  # another process may write the same file
    with _place(place.parent, path):
        if place.exists() and not place.is_file():
            yield place
            return
        try:
            yield part
            part.replace(place)
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def together(folder: Path | str, stale: str) -> Iterator[Path]:
    """Give a new folder inside ``folder``; the files that the block writes there move up all at once.

    stale: pattern of what an earlier call may have left in ``folder``: it goes unless it was written again.
    When the block raises, nothing has changed; an ``OSError`` becomes an ``ArtifactError`` that names
    ``folder``.
    """
    folder = Path(folder)
    part = folder / f".{os.getpid()}.part"
    with _place(folder, folder):
        try:
            part.mkdir()
            yield part
            new = {path.name for path in part.iterdir()}
            for name in new:
                (part / name).replace(folder / name)
            for old in folder.glob(stale):
                if old.name not in new:
                    old.unlink()
        finally:
            shutil.rmtree(part, ignore_errors=True)


@contextmanager
def _place(folder: Path, what: Path | str) -> Iterator[None]:
    """Make ``folder``, which ``what`` is to be written into; unmake it, while empty, when that fails."""
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for place in made:
            with suppress(OSError):
                place.rmdir()
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
