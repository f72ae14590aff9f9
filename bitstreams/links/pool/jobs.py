"""The queue of a pool. All of it is safe to call from any thread."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bitstreams.links.pool.member import Answer


@dataclass(eq=False)
class Job:
    """images: (n, c, h, w) uint8, as many as a run takes at most. failed: numbers of the members that have
    failed at it, each as often as it did."""

    images: NDArray[np.uint8]
    answer: Future[Answer] = field(default_factory=Future)
    failed: list[int] = field(default_factory=list)

    def begin(self) -> bool:
        """Whether somebody still waits for the answer: from here on it cannot be cancelled."""
        return bool(self.failed) or self.answer.set_running_or_notify_cancel()

    def drop(self, error: BaseException) -> None:
        """Answer with ``error``, unless it was cancelled."""
        if self.begin():
            self.answer.set_exception(error)


class Jobs:
    """Jobs for ``members``, by number: first come, first served, but what failed elsewhere comes first.

    Nobody gets a job that it has failed at while somebody is in the pool who has not.
    """

    def __init__(self, members: Iterable[int]) -> None:
        self._members = set(members)
        self._waiting: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        with self._changed:
            return len(self._waiting)

    def put(self, job: Job) -> bool:
        """Queue it. Returns whether the queue is open; else nobody will take it."""
        with self._changed:
            if self._closed:
                return False
            (self._waiting.appendleft if job.failed else self._waiting.append)(job)
            self._changed.notify_all()
            return True

    def take(self, member: int) -> Job | None:
        """The next one for ``member``, as soon as there is one; None when the queue is closed."""
        with self._changed:
            while not self._closed:
                for job in list(self._waiting):
                    if member in job.failed and not self._hopeless(job):
                        continue
                    self._waiting.remove(job)
                    if job.begin():
                        return job
                self._changed.wait()
            return None

    def hopeless(self, job: Job) -> bool:
        """Whether every member that is left has failed at it."""
        with self._changed:
            return self._hopeless(job)

    def _hopeless(self, job: Job) -> bool:
        return self._members <= set(job.failed)

    def without(self, member: int) -> None:
        """``member`` takes no more jobs; others may have its own."""
        with self._changed:
            self._members.discard(member)
            self._changed.notify_all()

    def close(self) -> list[Job]:
        """End every :meth:`take`; returns what nobody took."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()
            return left

    def pause(self, seconds: float) -> bool:
        """Wait so long, or until the queue is closed. Returns whether it is open."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, seconds)
            return not self._closed
