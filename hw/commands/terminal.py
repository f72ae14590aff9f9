"""The terminal around a command: what it can print, and how it asks for an end."""

from __future__ import annotations

import codecs
import signal
import sys
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PLAIN = {
    **{"×": "x", "·": "*", "√": "sqrt ", "²": "^2", "½": "1/2", "±": "+-", "≥": ">=", "≤": "<=", "≈": "~"},
    **{"µ": "u", "μ": "u", "→": "->", "←": "<-", "…": "...", "–": "-", "—": "-", "−": "-"},
    **{"‘": "'", "’": "'", "“": '"', "”": '"', "•": "*", "─": "-", "━": "-", "│": "|", "┃": "|", "ß": "ss"},
}
"""Signs in letters that every terminal has."""

ASKED = (signal.SIGTERM, signal.SIGHUP)
"""Signals that ask for an end: of a service, of a closed terminal."""


class Ended(BaseException):
    """The signal ``number`` asked for an end.

    Not an ``Exception``: what is under way is cleaned up, nothing is tried again.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _plain(error: UnicodeError) -> tuple[str, int]:
    """For :func:`codecs.register_error`: signs that an encoding has not."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_letters, error.object[error.start : error.end])), error.end


def _letters(sign: str) -> str:
    simple = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return PLAIN.get(sign) or simple or "?"


def print_anything() -> None:
    """From here on output never fails for a sign that the terminal does not have: it is written in others."""
    codecs.register_error("spec2", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spec2")


@contextmanager
def ending_in_order() -> Iterator[None]:
    """Within the block the signals of :data:`ASKED` raise :class:`Ended`.

    So temporary files go and boards are stopped. A signal that is ignored (``nohup``) stays so.
    """

    def end(number: int, frame: FrameType | None) -> None:
        raise Ended(number)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in ASKED}
    for number in ASKED:
        if before[number] == signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
