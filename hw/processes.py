"""Independent work on several processors."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from types import ModuleType
from typing import TypeVar

from hw.errors import ToolFailed

T = TypeVar("T")


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
