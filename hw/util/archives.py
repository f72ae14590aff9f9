"""Arrays from and to files of numpy (``.npz``, ``.npy``), bounded before they are read; nothing is ever run.

numpy allocates what a header claims and inflates what an archive holds; a file of a megabyte may ask for a
gigabyte. Here names, types and shapes are known first, from the directory and the first bytes of each
member, and a caller takes the arrays that it wants. Only plain numbers are arrays here: no pickles, no
records, no text.
"""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hw.util.documents import said
from hw.util.errors import DataError, Spec2Error
from hw.util.files import regular, replacing

FREE, RATIO = 128 << 20, 64
"""What arrays may take in bytes: so many, and so many times the file. VGG16 with 99 % of its words gone is
under it; what deflate can do, 1032 to 1, is not."""

DEFLATE = 1032
"""Bytes that a byte of deflate stands for at most (zlib's own figure)."""

CHUNK = 1 << 20
"""Bytes read at a time: a stream that ends early has taken no more than it had."""


class _Stream(Protocol):
    def read(self, size: int, /) -> bytes: ...


class Arrays:
    """The arrays of one open file. :meth:`take` reads one; ``names`` are all of them, in order."""

    def __init__(self, archive: zipfile.ZipFile, size: int) -> None:
        self._archive, self._left = archive, FREE + RATIO * size
        self._members: dict[str, zipfile.ZipInfo] = {}
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name == member.filename or name in self._members:
                raise DataError(f"member {member.filename[:40]!r} is no array, or is there twice")
            self._members[name] = member

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays."""
        return tuple(self._members)

    def take(
        self, name: str, shape: tuple[int, ...] | None = None, *, most: int | None = None
    ) -> NDArray[Any]:
        """The array ``name``.

        Raises ``KeyError`` if there is none, and ``DataError`` where it is damaged, has another ``shape``
        than that, or takes more than ``most`` bytes (or than the file may ask for).
        """
        member = self._members[name]
        if member.flag_bits & 1 or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(f"array {name!r} is encrypted, or packed in a way that numpy does not write")
        if member.file_size > DEFLATE * (member.compress_size + 1):
            raise DataError(f"array {name!r} claims {member.file_size:,} bytes, which it cannot hold")
        allowed = self._left if most is None else min(most + npy_header_most(), self._left)
        if member.file_size > allowed:
            raise DataError(
                f"array {name!r} takes {member.file_size:,} bytes, more than the {allowed:,} it may: a file "
                f"may ask for {FREE >> 20} MiB and {RATIO} times its size in all"
            )
        self._left -= member.file_size
        with self._archive.open(member) as stream:
            return _array(stream, f"array {name!r}", member.file_size, shape)


def npy_header_most() -> int:
    """Bytes of the header of an array that is read at most."""
    return 4096


@contextmanager
def opened(path: Path | str) -> Iterator[Arrays]:
    """The arrays of the ``.npz`` at ``path``.

    Raises ``OSError`` as ``open`` does, and ``DataError`` (whatever reading meets in the block) for what is
    no archive of arrays.
    """
    path = regular(path)
    with path.open("rb") as file, _damages():
        with zipfile.ZipFile(file) as archive:
            yield Arrays(archive, path.stat().st_size)


def read_npy(path: Path | str) -> NDArray[Any]:
    """The one array of a ``.npy``. Raises as :func:`opened`."""
    path = regular(path)
    with path.open("rb") as file, _damages():
        return _array(file, "the array", path.stat().st_size, None)


def save(path: Path | str, compressed: bool = False, **arrays: NDArray[Any]) -> None:
    """Write a ``.npz`` of plain numbers, whole or not at all.

    Raises ``ArtifactError`` where it cannot be written, ``TypeError`` for an array that would be pickled.
    numpy's own ``allow_pickle=False`` is none before 2.2: there it is one more array, of that name.
    """
    if odd := [name for name, array in arrays.items() if array.dtype.kind not in "biuf"]:
        raise TypeError(f"array {odd[0]!r} is {arrays[odd[0]].dtype}, no plain numbers")
    given: dict[str, Any] = arrays
    with replacing(path) as part, part.open("wb") as file:
        (np.savez_compressed if compressed else np.savez)(file, **given)


@contextmanager
def _damages() -> Iterator[None]:
    """Whatever zipfile, zlib and numpy raise on a damaged file is one sentence."""
    try:
        yield
    except (OSError, KeyError, Spec2Error):
        raise
    except Exception as error:
        reason = said(error)
        raise DataError(f"it is no archive of arrays, or is damaged ({reason})") from None


def _array(stream: IO[bytes], what: str, size: int, wanted: tuple[int, ...] | None) -> NDArray[Any]:
    """The array in a stream of ``size`` bytes, header included."""
    version = npy.read_magic(stream)
    header = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(version)
    if header is None:
        raise DataError(f"{what} is of version {version} of numpy's format, known are 1.0 and 2.0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, about headers of Python 2, which it reads all the same
        shape, fortran, dtype = header(_Bounded(stream, npy_header_most()), npy_header_most())
    if dtype.kind not in "biuf" or dtype.hasobject or dtype.itemsize > 8:
        raise DataError(f"{what} holds {dtype}, not plain numbers")
    if any(length < 0 for length in shape):
        raise DataError(f"{what} has the shape {shape}")
    if wanted is not None and shape != wanted:
        raise DataError(f"{what} is {shape}, not {wanted}")
    count = math.prod(shape)
    if count * dtype.itemsize > size:
        raise DataError(f"{what} is {shape} of {dtype}, more than the {size:,} bytes it has")
    raw = np.empty(count * dtype.itemsize, np.uint8)
    view, done = raw.data, 0
    while done < len(view):
        part = stream.read(min(CHUNK, len(view) - done))
        if not part:
            raise DataError(f"{what} is cut off")
        view[done : done + len(part)] = part
        done += len(part)
    if stream.read(1):  # also where the checksum is compared
        raise DataError(f"{what} is followed by more than it says")
    return raw.view(dtype).reshape(shape, order="F" if fortran else "C")


class _Bounded(io.RawIOBase):
    """A stream that ends after ``most`` bytes."""

    def __init__(self, stream: _Stream, most: int) -> None:
        self._stream, self._left = stream, most

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._left:
            raise DataError("an array's header is too long")
        self._left -= size
        return self._stream.read(size)
