"""Runs a driver whose link blocks."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Coroutine
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    """What ``asyncio.run(work)`` returns, but Ctrl-C ends it where it is.

    ``asyncio.run`` (Python 3.11) takes a first Ctrl-C as a wish to cancel, which shows when the coroutine
    next suspends: over links that block, never.
    """
    before = signal.getsignal(signal.SIGINT)
    ours = threading.current_thread() is threading.main_thread() and before is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, _interrupt)
    try:
        with asyncio.Runner() as runner:
            return runner.run(work)
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
