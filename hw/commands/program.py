"""Options of the program itself, in front of any command."""

from __future__ import annotations

from typing import Annotated

import typer

from hw.commands import console
from hw.host_interface.registers import HARDWARE_VERSION
from hw.util.own_version import own_version


def _say_version(wanted: bool) -> None:
    if wanted:
        print(f"spec2 {own_version()} (register interface {HARDWARE_VERSION})")
        raise typer.Exit


def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing of progress.")] = False,
) -> None:
    """Runs in front of every command."""
    console.quiet = quiet
