"""A thread that does one blocking thing after another, so that its caller can stop waiting."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

JOIN = 1.0
"""Seconds that :func:`stop` waits for what is going on."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Worker(Generic[Argument, Result]):
    """Calls ``work`` in a thread of its own, and ``finish`` at its end. Does not keep the program alive."""

    def __init__(self, work: Callable[[Argument], Result], finish: Callable[[], None]) -> None:
        self._work, self._finish = work, finish
        self._calls: queue.SimpleQueue[tuple[Argument, Future[Result]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def submit(self, argument: Argument) -> Future[Result]:
        """Queue a call; its result or exception will be in the future."""
        future: Future[Result] = Future()
        self._calls.put((argument, future))
        return future

    def end(self) -> None:
        """Drop what is queued; after the call that is going on the thread ends."""
        self._stopped.set()
        self._calls.put(None)

    def join(self, seconds: float) -> None:
        """Wait for that."""
        self._thread.join(seconds)

    def _loop(self) -> None:
        while (call := self._calls.get()) is not None:
            argument, future = call
            if self._stopped.is_set():
                future.cancel()
                continue
            try:
                future.set_result(self._work(argument))
            except Exception as error:
                future.set_exception(error)
        self._finish()


def stop(*workers: Worker[Any, Any]) -> None:
    """End all of them. A call that is going on and does not end is left behind."""
    for worker in workers:
        worker.end()
    until = time.monotonic() + JOIN
    for worker in workers:
        worker.join(max(0.0, until - time.monotonic()))
