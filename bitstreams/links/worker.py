"""A thread that does one blocking thing after another, so that its caller can stop waiting."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

JOIN = 1.0
"""Seconds that :meth:`Worker.stop` waits for what is going on."""

Argument = TypeVar("Argument")
Result = TypeVar("Result")


class Worker(Generic[Argument, Result]):
    """Calls ``work`` in a thread of its own, and ``finish`` at its end. Does not keep the program alive."""

    def __init__(self, work: Callable[[Argument], Result], finish: Callable[[], None]) -> None:
        self._work, self._finish = work, finish
        self._orders: queue.SimpleQueue[tuple[Argument, Future[Result]] | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True)
        self._thread.start()

    def submit(self, argument: Argument) -> Future[Result]:
        """Queue a call; its result or exception will be in the future."""
        future: Future[Result] = Future()
        self._orders.put((argument, future))
        return future

    def stop(self) -> None:
        """Drop what is queued. A call that is going on and does not end is left behind."""
        self._stopped.set()
        self._orders.put(None)
        self._thread.join(JOIN)

    def _loop(self) -> None:
        while (order := self._orders.get()) is not None:
            argument, future = order
            if self._stopped.is_set():
                future.cancel()
                continue
            try:
                future.set_result(self._work(argument))
            except Exception as error:
                future.set_exception(error)
        self._finish()
