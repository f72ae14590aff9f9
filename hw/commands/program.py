"""Options of the program itself, in front of any command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from hw.commands import console
from hw.commands.costs import profiled
from hw.commands.logs import Ending, logged
from hw.host_interface.registers import HARDWARE_VERSION
from hw.util import quote
from hw.util.own_version import own_version


class Program(Ending):
    """A run of the program: the words behind ``spec2``, and what ends with it."""

    def __init__(self, given: Sequence[str]) -> None:
        self.given = given
        self.around = ExitStack()


_running = Program(())


@contextmanager
def running(given: Sequence[str]) -> Iterator[Program]:
    """Around a run: what :func:`options` begins ends with the block."""
    global _running
    _running = Program(given)
    with _running.around:
        yield _running


def sentence(error: typer.TyperException, app: typer.Typer) -> str:
    """What is said of a line that ``app`` refuses: of its own options behind a command, where they go."""
    said = error.format_message()
    found = re.match(r"No such option: (--[a-z]+)", said)
    if found is None or not any(found[1] in option.opts for option in typer.main.get_command(app).params):
        return said
    return f"{found[1]} goes in front of the command: spec2 {found[1]} …"


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"spec2 {own_version()} (register interface {HARDWARE_VERSION})")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing of progress.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say on stderr what is decided and run, and how long it took.")
    ] = False,
    log: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write that and more into FILE, with times; it ends with the exit code."
        ),
    ] = None,
    profile: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Profile the command (cProfile) into FILE, for pstats and snakeviz; the ten costliest "
            "functions on stderr.",
        ),
    ] = None,
) -> None:
    """Runs in front of every command."""
    console.quiet = quiet
    if verbose or log is not None:
        command = quote.shell("spec2", *_running.given)
        _running.around.enter_context(logged(verbose, log, command, _running))
    _running.around.enter_context(profiled(profile))
