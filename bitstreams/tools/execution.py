"""Runs a tool in a folder: its output goes to a log line by line, and to whoever listens."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hw.util import processes
from hw.util.errors import ToolFailed, ToolNotFound

Listener = Callable[[str], None]
"""Gets every line of output, without its end."""


def execute(
    command: Sequence[str],
    folder: Path,
    log: Path,
    *,
    listen: Listener | None = None,
    timeout: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> int:
    """Run ``command`` in ``folder`` and return its exit code (negative: the signal that ended it).

    Output and errors go to ``log``. The tool and all that it starts end with this call, also when it is
    interrupted. Raises ``ToolNotFound`` when it does not start, ``ToolFailed`` after ``timeout`` seconds.
    """

    def hear(line: str) -> None:
        out.write(line)
        if listen:
            listen(line.rstrip("\n"))

    try:
        with log.open("w", encoding="utf-8") as out:
            return processes.run(command, folder, hear, seconds=timeout, environment=environment)
    except subprocess.TimeoutExpired:
        raise ToolFailed(
            f"{Path(command[0]).name} took longer than {timeout:g} seconds; its log is {log}"
        ) from None
    except OSError as error:
        if error.filename != command[0]:
            raise
        raise ToolNotFound(f"{command[0]} does not start: {error.strerror or error}") from None


def because(code: int) -> str:
    """Words for an exit code."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with code {code}"
