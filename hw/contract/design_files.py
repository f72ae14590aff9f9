"""The files of a design: what each holds, and reading one only while it still holds that.

A design folder may come from somebody else, may have been copied in part, or edited. So whoever uses a file
of it asks here first: it lies in the folder itself, is a file and no link or device, and has the size and the
digest that it was generated with.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from hw.util import names
from hw.util.documents import check_fields
from hw.util.errors import ArtifactError, DigestMismatch

VERILOG, BINARY = ".v", ".bin"

SUFFIXES = (VERILOG, ".mem", BINARY)
"""What a design is made of: Verilog, images of memories inside, and of external ones, which are no text."""

PART = 1 << 20
"""Bytes that are read at once."""

MOST = 4 << 30
"""Bytes of a file of a design: no external memory of a board that is known holds more."""

DIGEST = r"^[0-9a-f]{64}$"
"""A SHA-256, as text."""


@dataclass(frozen=True)
class Content:
    """What a file holds: its size in bytes, and its SHA-256 (hex)."""

    bytes: Annotated[int, Meta(ge=0, le=MOST)]
    sha256: Annotated[str, Meta(pattern=DIGEST)]

    def __post_init__(self) -> None:
        check_fields(self, "file of a design", ArtifactError)


def describe(folder: Path, files: Iterable[str]) -> dict[str, Content]:
    """What ``files`` of ``folder`` hold, in their order. Raises ``ArtifactError`` if one cannot be read."""
    found = {}
    for name in files:
        with _opened(folder, name) as file:
            size = os.fstat(file.fileno()).st_size
            found[name] = Content(size, hashlib.file_digest(file, "sha256").hexdigest())
    return found


def check_names(files: Iterable[str]) -> None:
    """Raise ``ArtifactError`` for a name that leaves the folder, or is not one of a design's file."""
    for name in files:
        names.check_file(name, SUFFIXES)


def check(folder: Path, files: Mapping[str, Content]) -> None:
    """Raise ``ArtifactError`` unless every one of ``files`` is in ``folder`` as it was generated."""
    for name, content in files.items():
        for _ in _checked(folder, name, content):
            pass


def read(folder: Path, files: Mapping[str, Content]) -> dict[str, bytes]:
    """The bytes of every one of ``files``, as they were generated. Raises what :func:`check` raises."""
    return {name: b"".join(_checked(folder, name, content)) for name, content in files.items()}


def _checked(folder: Path, name: str, content: Content) -> Iterator[bytes]:
    """The file in parts. Raises ``ArtifactError`` after the last one if they are not what they should be."""
    path, sha, rest, plain = folder / name, hashlib.sha256(), content.bytes, True
    with _opened(folder, name) as file:
        if (size := os.fstat(file.fileno()).st_size) != content.bytes:
            raise _edited(path, f"it has {size:,} bytes, not {content.bytes:,}")
        while rest and (part := file.read(min(rest, PART))):
            rest -= len(part)
            plain &= part.isascii()
            sha.update(part)
            yield part
    if sha.hexdigest() != content.sha256:
        raise _edited(path, "its content is another one")
    if not (plain or name.endswith(BINARY)):
        raise ArtifactError(f"{path} is no plain text, as that of a design is: generate it again")


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[BufferedReader]:
    names.check_file(name, SUFFIXES)
    path = folder / name
    try:
        # A link is not followed, a device not even opened: that alone may do something.
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise ArtifactError(
                f"{path} is no file of its own but a link, a folder or a device: generate it again"
            )
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    except OSError as error:
        raise ArtifactError(f"cannot read {path} ({error.strerror}): generate it again") from None
    with file:
        try:
            yield file
        except OSError as error:
            raise ArtifactError(f"cannot read {path} ({error.strerror}): generate it again") from None


def _edited(path: Path, how: str) -> DigestMismatch:
    return DigestMismatch(f"{path} was edited or damaged since it was generated, {how}: generate it again")
