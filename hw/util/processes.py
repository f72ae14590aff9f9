"""Programs and fresh Pythons that work for this one, none of which outlives it.

Whoever waits for the end of a caller waits at a pipe: the kernel closes it with the process, whatever ended
that.
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from hw.util.errors import ToolFailed

LOG = logging.getLogger(__name__)

T = TypeVar("T")

Hear = Callable[[str], object]
"""Gets every line of a program's output, with its end."""


def processors() -> int:
    """How many this process may use (``taskset`` narrows them)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_order(calls: Sequence[Callable[[], T]], processes: int = 1) -> Iterator[T]:
    """What each of the ``calls`` returns, in their order.

    processes: how many are made at a time; with 1 they are made here, one by one as they are asked for.
    More are fresh Pythons: calls have to be picklable, and of modules that can be imported. The program they
    belong to is not imported, so a script needs no ``if __name__ == "__main__"``.
    Raises what a call raises, ``ToolFailed`` when a process was ended from outside.
    """
    count = min(processes, len(calls))
    if count < 2:
        yield from (call() for call in calls)
        return
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=_begin) as pool:
        with _no_program():  # every call may start another
            futures = [pool.submit(call) for call in calls]
        try:
            for future in futures:
                yield future.result()
        except BrokenProcessPool:
            raise ToolFailed(
                f"one of {count} processes was ended from outside, perhaps for want of memory: use fewer "
                "processors (taskset), or a machine with more memory"
            ) from None
        finally:
            for future in futures:
                future.cancel()


@contextmanager
def _no_program() -> Iterator[None]:
    """Processes that start meanwhile do not import the program: a script would begin anew in each."""
    program = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = program


def _begin() -> None:
    """Ctrl-C ends the process at once and without a word: the caller says what was interrupted. So does the
    caller's end, however it comes."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    caller = parent_process()
    assert caller is not None
    caller.join()
    os._exit(1)


# --- programs -------------------------------------------------------------------------------------------

_WATCH = "trap '' HUP INT TERM; read -r _; kill -KILL 0"
"""The shell's words for: wait until the pipe is closed, then end my process group."""


def run(
    command: Sequence[str | Path],
    folder: Path,
    hear: Hear,
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> int:
    """Run ``command`` in ``folder`` and return its exit code (negative: the signal that ended it).

    hear: gets its output and errors, as UTF-8. seconds: that it may take, None for any number.
    The program and all that it starts end with this call, also when that is interrupted, and with this
    process, also when that is killed. Ctrl-C of a terminal does not reach them. Raises ``OSError`` when it
    does not start, ``subprocess.TimeoutExpired`` when it took too long.
    """
    on_time, start = threading.Event(), time.monotonic()
    LOG.info("in %s: %s", folder, shlex.join(map(str, command)))
    with _group() as group:
        process = subprocess.Popen(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            process_group=group,
        )

        def end() -> None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                on_time.set()
            _kill(group)  # what the program left running may hold the pipe that is read here

        ender = threading.Thread(target=end, daemon=True)
        ender.start()
        try:
            assert process.stdout is not None
            with process.stdout:
                for line in process.stdout:
                    hear(line)
        except BaseException:
            _kill(group)
            raise
        finally:
            ender.join()
            code = process.wait()
    LOG.info("%s ended with code %d after %.1f s", Path(command[0]).name, code, time.monotonic() - start)
    if seconds is not None and not on_time.is_set():
        raise subprocess.TimeoutExpired([str(word) for word in command], seconds)
    return code


@contextmanager
def _group() -> Iterator[int]:
    """The number of a process group whose processes end with the block, and with this process.

    It is there before the first of them: there is no moment in which one could be left behind. A signal for
    the end of a parent (PR_SET_PDEATHSIG) would do for one process, not for those that make starts, and comes
    already when the thread ends that started it.
    """
    read, write = os.pipe()
    try:
        watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH],
            stdin=read,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            process_group=0,
        )
    except BaseException:
        os.close(write)
        raise
    finally:
        os.close(read)
    try:
        yield watcher.pid
    finally:
        _kill(watcher.pid)
        watcher.wait()
        os.close(write)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
