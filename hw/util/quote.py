"""Text as one word, or as plain text, of another language: a quoter for each that this project writes.

Whatever comes from a user or a file goes through one of these on its way into a script, a page, a picture or
a terminal. Each is tested with the interpreter of its language (``tests/hw/util/test_quote.py``).
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable

from hw.util.errors import ConfigError


def line(text: str) -> str:
    """``text`` in one line that shows: what moves a cursor, breaks a line or turns the direction of writing
    is spelt as an escape (``\\x1b``). For terminals, comments and titles."""
    return "".join(map(_shown, text))


def lines(text: str) -> str:
    """:func:`line` for text of several lines, which stay."""
    return "\n".join(map(line, text.split("\n")))


def _shown(char: str) -> str:
    # Spaces of every width are no control characters; line and paragraph separators (Zl, Zp) are.
    if char.isprintable() or unicodedata.category(char) == "Zs":
        return char
    return char.encode("unicode_escape").decode("ascii")


# --- scripts --------------------------------------------------------------------------------------------


def shell(*words: str) -> str:
    """Words of a command for a POSIX shell. Raises ``ConfigError`` for a NUL, which no word can hold."""
    for word in words:
        if "\0" in word:
            raise ConfigError(f"{word!r} holds a NUL and cannot be a word of a command: rename it")
    return shlex.join(words)


_BARE = re.compile(r"[\w./:+=-]+", re.ASCII)
"""Words that mean themselves in Tcl, in and outside of braces."""


def tcl(word: str) -> str:
    """A word of a Tcl command, hence of XDC: no substitution, in braces where it can be."""
    if _BARE.fullmatch(word):
        return f"{{{word}}}"
    # \u takes four digits, and only Tcl 8.6 knows \U. Characters beyond mean nothing to Tcl.
    plain = (c if ord(c) > 0xFFFF or (c.isascii() and c.isalnum()) else f"\\u{ord(c):04x}" for c in word)
    return "".join(plain) or "{}"


def tcl_list(words: Iterable[str]) -> str:
    """A list as a word of a Tcl command."""
    words = list(words)
    if all(map(_BARE.fullmatch, words)):
        return f"{{{' '.join(words)}}}"
    return f"[list {' '.join(map(tcl, words))}]"


def yosys(*words: str) -> str:
    """Arguments of a command of yosys. It has no quoting that all of its commands undo (0.68), so whatever is
    more than a plain word is a ``ConfigError``."""
    for word in words:
        if not re.fullmatch(r"[\w.][\w./+-]*", word, re.ASCII):
            raise ConfigError(f"{word!r} cannot be an argument of yosys: letters, digits and '_./+-' can")
    return " ".join(words)


# --- pages and pictures ---------------------------------------------------------------------------------

_PUNCTUATION = re.compile(r"[\\`*\[\]<>|~$&]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_BLOCK = re.compile(r"#{1,6}(?= |$)|[+-](?= |$)|[=-](?=[=-]* *$)|(?<=\d)[.)](?= |$)")
"""What a block may begin with: heading, item of a list, underline or rule, number of an item."""


def markdown(text: str) -> str:
    """Plain text inside a line of Markdown, at its beginning, or in a cell of a table.

    What means nothing there stays as it is: ``a_b``, ``2:8``, ``row-column``.
    """
    text = line(text)
    body = text.lstrip(" ")
    number = re.match(r"\d{1,9}(?=[.)])", body)
    head = number[0] if number else ""
    rest = _PUNCTUATION.sub(lambda found: f"\\{found[0]}", body[len(head) :])
    start = _BLOCK.match(head + rest, len(head))
    escape = "\\" if start else ""
    return "&#32;" * (len(text) - len(body)) + head + escape + rest


def code(text: str) -> str:
    """A code span of Markdown."""
    text = line(text)
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    # One space on either side is dropped: it keeps backticks of the text off those of the fence.
    pad = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") or not text else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(rows: Iterable[str], language: str = "") -> str:
    """A fenced block of Markdown; every row of it is one line."""
    rows = [line(row) for row in rows]
    longest = max((len(run) for row in rows for run in re.findall("`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *rows, fence])


def mathtext(text: str) -> str:
    """Text of a picture of matplotlib, which sets what is between dollars as mathematics."""
    return line(text).replace("$", r"\$")
