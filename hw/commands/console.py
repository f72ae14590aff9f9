"""What subcommands say: results on stdout, progress on stderr, and which package is missing."""

from __future__ import annotations

import functools
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hw.util import quote
from hw.util.errors import ToolNotFound

if TYPE_CHECKING:
    from rich.console import Console

LOG = logging.getLogger(__name__)

Show = Callable[..., None]
"""Shows progress: (done, total, what is being done); None where done and total are not known."""

LINE_SECONDS = 10
"""Least time between two progress lines in a log."""

LEAST = 0.02
"""Share of the work behind which the rest of its time is estimated."""

quiet = False
"""Whether nothing is said of progress (``spec2 --quiet``)."""


def emit(as_json: bool, data: Any, *markdown: str) -> None:
    """``data`` as JSON, or the Markdown paragraphs on the terminal. What they hold of names, paths and other
    free text is quoted (:mod:`hw.util.quote`) by who wrote them."""
    if as_json:
        print(json.dumps(data, indent=1))
    else:
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(quote.lines("\n\n".join(markdown))))


def scalars(data: dict[str, Any]) -> list[tuple[str, Any]]:
    """Rows of a table: what of ``data`` fits into one cell, dictionaries one level down spelt out."""
    flat: dict[str, Any] = {}
    for key, value in data.items():
        flat |= {f"{key} {k}": v for k, v in value.items()} if isinstance(value, dict) else {key: value}
    return [(k.replace("_", " "), v) for k, v in flat.items() if not isinstance(v, list | tuple | dict)]


@functools.cache
def errors() -> Console:
    """The terminal behind stderr: the same for all, so that lines are written above a bar."""
    from rich.console import Console

    return Console(stderr=True)


def say(text: str) -> None:
    """A line, or some, on stderr."""
    print(text, file=sys.stderr)


@contextmanager
def progress(title: str) -> Iterator[Show]:
    """Progress on stderr, with the time that is left: a bar on a terminal, elsewhere a line now and then."""
    start = time.perf_counter()
    LOG.info("%s", title)
    with _shown(title) as show:
        yield show
    LOG.info("%s: done in %.1f s", title, time.perf_counter() - start)


@contextmanager
def _shown(title: str) -> Iterator[Show]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    if quiet:
        yield lambda *done: None
        return
    console = errors()
    if not console.is_terminal:
        yield _lines(title)
        return
    # A name may look like rich's markup, which would be obeyed.
    text = TextColumn("{task.description}", markup=False)
    rest = TextColumn("{task.fields[left]}")
    columns = (SpinnerColumn(), text, BarColumn(), TimeElapsedColumn(), rest)
    pace = _Pace()
    with Progress(*columns, console=console) as bar:
        task = bar.add_task(title, total=None, left="")

        def show(done: float | None, total: float | None, what: str = "") -> None:
            shown = quote.line(f"{title}: {what}" if what else title)
            left = pace.left(done, total, time.monotonic())
            bar.update(task, completed=done or 0, total=total, description=shown, left=left)

        yield show


def _lines(title: str) -> Show:
    """Progress for a log: a line at the start, then at most one in ten seconds."""
    pace = _Pace()
    start = last = pace.start
    print(f"{title} ...", file=sys.stderr)

    def show(done: float | None, total: float | None, what: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        left = pace.left(done, total, now)
        if now - last >= LINE_SECONDS:
            last = now
            share = f" {100 * done / total:.0f} %" if done is not None and total else ""
            said = f"{now - start:.0f} s, {left}" if left else f"{now - start:.0f} s"
            print(f"{title}{share} {quote.line(what)} ({said})", file=sys.stderr)

    return show


class _Pace:
    """How fast it goes, from the first share of the work that is told: of a job that goes on, what earlier
    runs have done took none of these seconds."""

    def __init__(self) -> None:
        self.start = self.since = time.monotonic()
        self.before: float | None = None

    def left(self, done: float | None, total: float | None, now: float) -> str:
        """As :func:`_left`."""
        if done is None or not total:
            return ""
        if self.before is None:
            self.before = done
            self.since = now if done else self.start
        return _left(done - self.before, total - self.before, now - self.since)


def _left(done: float | None, total: float | None, seconds: float) -> str:
    """How long the rest takes if it goes on as it went for ``seconds``; empty where that says nothing."""
    if not done or not total or done < LEAST * total or done >= total:
        return ""
    rest = seconds * (total - done) / done
    if rest < 100:
        return f"about {max(1, round(rest))} s left"
    minutes = round(rest / 60)
    return f"about {minutes} min left" if minutes < 100 else f"about {minutes / 60:.0f} h left"


@contextmanager
def requires(*packages: str) -> Iterator[None]:
    """Turn the absence of an optional package into a sentence."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        raise ToolNotFound(
            f"this command needs the Python package {error.name}, which is not installed: "
            "'spec2 doctor' shows how to get it"
        ) from None
