"""Runs a tool in a folder: its output goes to a log line by line, and to whoever listens."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from hw.errors import ToolFailed, ToolNotFound

Listener = Callable[[str], None]
"""Gets every line of output, without its end."""


def execute(
    command: Sequence[str],
    folder: Path,
    log: Path,
    *,
    listen: Listener | None = None,
    timeout: float | None = None,
) -> int:
    """Run ``command`` in ``folder`` and return its exit code (negative: the signal that ended it).

    Output and errors go to ``log``. The tool and all that it starts end with this call, also when it is
    interrupted. Raises ``ToolNotFound`` when it does not start, ``ToolFailed`` after ``timeout`` seconds.
    """
    late = threading.Event()
    try:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # a group of its own, so that helpers of the tool can be ended too
        )
    except OSError as error:
        raise ToolNotFound(f"{command[0]} does not start: {error.strerror or error}") from None

    def expire() -> None:
        late.set()
        _end(process)

    timer = threading.Timer(timeout, expire) if timeout is not None else None
    try:
        if timer:
            timer.start()
        assert process.stdout is not None
        with process.stdout, log.open("w", encoding="utf-8") as out:
            for line in process.stdout:
                out.write(line)
                if listen:
                    listen(line.rstrip("\n"))
        code = process.wait()
    finally:
        if timer:
            timer.cancel()
        _end(process)
    if late.is_set():
        raise ToolFailed(f"{Path(command[0]).name} took longer than {timeout:g} seconds; its log is {log}")
    return code


def _end(process: subprocess.Popen[str]) -> None:
    """End the process and whatever is left of its group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def because(code: int) -> str:
    """Words for an exit code."""
    if code < 0:
        name = signal.Signals(-code).name
        return f"was ended by {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
    return f"ended with code {code}"
