"""Documents from outside (JSON, TOML): bounded when read, checked against the types of their fields, once.

Whoever reads a file calls :func:`read` or :func:`needed`, and :func:`decode`; plain data from elsewhere (a
header inside an archive) go through :func:`convert`. What comes out has the declared types: no ``0.5`` for a
switch, no ``8.0`` or ``true`` for a number, no NaN, nothing unknown beside. Ranges are the concern of the
types themselves, in ``__post_init__``, which calls :func:`check_fields` first, for callers in Python.
"""

from __future__ import annotations

import dataclasses
import math
import re
import typing
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec

from hw.util.errors import ArtifactError, Spec2Error
from hw.util.files import bounded

MOST = 8 << 20
"""Bytes of a document. Plain data take up to 24 times their text, a list in every two characters."""

SHOWN = 60
"""Characters of a value that a message shows."""

T = TypeVar("T")


def read(path: Path | str, most: int = MOST) -> bytes:
    """The bytes of a file of at most ``most``.

    Raises ``OSError`` as ``open`` does, ``ArtifactError`` for more, or a device
    (:func:`hw.util.files.regular`).
    """
    content = bounded(path, most)
    if len(content) > most:
        raise ArtifactError(f"{path} has more than {most:,} bytes: it is no file of this kind")
    return content


def needed(
    path: Path | str,
    what: str = "",
    *,
    most: int = MOST,
    remedy: str = "",
    error: type[Spec2Error] = ArtifactError,
) -> bytes:
    """As :func:`read`, but raises ``error`` for a file that is not there or cannot be read: one sentence with
    ``what`` it is in front of its path, and a ``remedy`` behind."""
    try:
        return read(path, most)
    except OSError as problem:
        named = f"{what} {path}" if what else f"{path}"
        end = f"; {remedy}" if remedy else ""
        raise error(f"cannot read {named}: {problem.strerror or problem}{end}") from None


def decode(
    content: bytes,
    kind: type[T] | Any,
    what: str,
    *,
    form: Literal["json", "toml"] = "json",
    error: type[Spec2Error] = ArtifactError,
) -> T:
    """``content`` as a ``kind``: a ``msgspec.Struct``, a dataclass, or types like ``dict[str, int]``.

    Raises ``error``, with ``what`` (a path, mostly) and the field in front, for text that is no document and
    for a document that is no ``kind``; an error of ``kind`` itself keeps its type.
    """
    reader: Any = msgspec.json if form == "json" else msgspec.toml
    try:
        if form == "json" and not dataclasses.is_dataclass(kind):
            with suppress(msgspec.ValidationError):  # what is wrong is said below
                found: T = reader.decode(content, type=kind, strict=True)
                return found
            if len(content) > MOST:
                raise error(f"{what} is no file of this kind")
        data = reader.decode(content)
    except (msgspec.MsgspecError, ValueError, RecursionError) as problem:
        raise error(f"{what} is damaged: {printable(str(problem))}") from None
    if form == "toml":  # JSON has neither
        for number in _floats(data):
            if not math.isfinite(number):
                raise error(f"{what}: {number} is no number to work with: write a finite one")
    found = convert(data, kind, what, error=error)
    return found


def convert(data: Any, kind: type[T] | Any, what: str, *, error: type[Spec2Error] = ArtifactError) -> T:
    """Plain ``data`` as a ``kind``; see :func:`decode`. A dataclass takes its own fields and no others."""
    if dataclasses.is_dataclass(kind) and isinstance(data, dict):
        known = [field.name for field in dataclasses.fields(kind)]
        if strange := [name for name in data if name not in known]:
            raise error(f"{what}: unknown field {shown(strange[0])}, known are {', '.join(known)}")
    try:
        found: T = msgspec.convert(data, kind, strict=True)
        return found
    except msgspec.ValidationError as problem:
        if isinstance(cause := problem.__cause__, Spec2Error):
            raise type(cause)(f"{what}: {cause}") from None
        raise error(f"{what}: {_sentence(problem, data)}") from None
    except (ValueError, RecursionError) as problem:
        raise error(f"{what} is damaged: {printable(str(problem))}") from None


def check_fields(value: Any, what: str, error: type[Spec2Error], but: tuple[str, ...] = ()) -> None:
    """Raise ``error`` unless every field of the dataclass ``value``, ``but`` those, has its declared type."""
    own: Any = type(value)
    for name, kind in _kinds(own).items():
        if name in but:
            continue
        found = getattr(value, name)
        try:
            msgspec.convert(found, kind, strict=True)
        except msgspec.ValidationError as problem:
            raise error(f"{what}: {name}: {_sentence(problem, found)}") from None
        if isinstance(found, float) and not math.isfinite(found):
            raise error(f"{what}: {name} must be finite, not {found}")


def shown(value: Any) -> str:
    """``value`` for a message: short, and without what a terminal would act on."""
    try:
        text = printable(repr(value))
    except (ValueError, RecursionError):  # an integer of more digits than Python prints, or a deep list
        text = f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}…"


def _floats(data: Any) -> Iterator[float]:
    if isinstance(data, float):
        yield data
    elif isinstance(data, (dict, list)):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _floats(item)


def said(error: BaseException) -> str:
    """The first line of what ``error`` says, for a message."""
    text = str(error).strip()
    return printable(text.splitlines()[0][:150]) if text else type(error).__name__


@cache
def _kinds(kind: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def _sentence(problem: msgspec.ValidationError, data: Any) -> str:
    """msgspec's reason with the field in front and the value after it, where its path can be followed."""
    reason, _, where = str(problem).partition(" - at `")
    path = where.removesuffix("`").removeprefix("$").removeprefix(".")
    reason = reason[:1].lower() + reason[1:]
    try:
        for part in re.findall(r"[^.\[\]]+|\[\d+\]", path):
            data = data[int(part[1:-1])] if part.startswith("[") else data[part]
    except (KeyError, IndexError, TypeError, ValueError):
        data = None
    if isinstance(data, (bool, int, float, str)):
        reason += f": {shown(data)}"
    reason = reason.replace("`", "")
    return printable(f"{path}: {reason}" if path else reason)


def printable(text: str, most: int = 300) -> str:
    """``text`` without what a terminal would act on, and not too long to be read."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:most])
