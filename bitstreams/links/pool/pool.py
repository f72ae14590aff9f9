"""Boards that share a queue: a thread for each, and no image lost when one of them fails.

A run changes nothing on a board but what the next run begins anew. So one that failed, on whatever board and
however far it came, is run again, on another board as long as there is one. A board that failed is opened
again after a pause, which doubles; after so many failures in a row, or where it is another accelerator or
holds weights that nobody replaces, it is out. What every board has failed at, :data:`MOST_TRIES` times in
all, is given up: it may be what they fail of.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from bitstreams.links.pool.jobs import Job, Jobs
from bitstreams.links.pool.member import Answer, Member, Record
from bitstreams.links.running import run
from hw.contract.design import DesignInfo
from hw.host.driver import STALE, Driver
from hw.host.link import Link
from hw.host_interface.stream_format import check_images
from hw.util.errors import ConfigError, DataError, DigestMismatch, LinkError, Spec2Error

MOST_FAILURES = 3
"""In a row, after which a board is out."""

MOST_TRIES = 3
"""Of a job, before it is given up."""

PAUSE, LONGEST = 0.5, 30.0
"""Seconds before a board that failed is opened again; twice as many after every further one, up to these."""

JOIN = 5.0
"""Seconds that a run may go on when the pool is closed."""


class Pool:
    """``members`` that all run the accelerator of ``info``; a context manager that opens and closes them.

    pause: seconds before a board that failed is opened again, at first. most_failures: in a row, after which
    a board is out; 0 for never. lost: called in a member's thread, with its name, when it failed after it had
    been open, with another sentence than the time before, or for good. Raises ``ConfigError`` without
    members, ``DataError`` for a network that gives no class scores.
    """

    def __init__(
        self,
        info: DesignInfo,
        members: Sequence[Member],
        *,
        pause: float = PAUSE,
        most_failures: int = MOST_FAILURES,
        lost: Callable[[str, Record], None] | None = None,
    ) -> None:
        if not members:
            raise ConfigError("a pool has at least one board: name its link")
        if info.network.classes is None:
            raise DataError(f"network {info.network.name!r} ends in a feature map: it gives no labels")
        self._info, self._pause, self._most_failures = info, pause, most_failures
        self._members, self._lost = tuple(members), lost
        self._records = [Record() for _ in members]
        self._jobs = Jobs(range(len(members)))
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._serve, args=(number,), name=member.name, daemon=True)
            for number, member in enumerate(members)
        ]

    def __enter__(self) -> Pool:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def records(self) -> dict[str, Record]:
        """What the pool knows of each member, by name; of members of one name with a number behind it."""
        names = [member.name for member in self._members]
        numbered = [
            f"{name} ({names[: i + 1].count(name)})" if names.count(name) > 1 else name
            for i, name in enumerate(names)
        ]
        return dict(zip(numbered, self._records, strict=True))

    @property
    def waiting(self) -> int:
        """Jobs that no board has taken yet."""
        return len(self._jobs)

    @property
    def boards(self) -> int:
        """Members that are not out; at least one, so that jobs come to an end, if with an error."""
        return max(1, sum(not record.out for record in self._records))

    @property
    def closed(self) -> bool:
        """Whether no job is taken any more."""
        return not self._jobs.pause(0)

    def submit(self, images: NDArray[np.uint8]) -> Future[Answer]:
        """Queue a run of images (n, c, h, w), at most as many as the accelerator takes.

        The future may be cancelled until a board takes it. It raises ``LinkError`` when no board is left, and
        what the last board raised of a job that is given up. Raises ``DataError`` for images that do not fit.
        """
        images = check_images(images, self._info.network.input)
        most = self._info.config.batch
        if not 1 <= len(images) <= most:
            raise DataError(f"a run takes 1 to {most} images, not {len(images)}: split them")
        job = Job(images)
        if not self._jobs.put(job):
            job.drop(self._nobody())
        return job.answer

    def close(self) -> None:
        """Give the boards back. Jobs that wait are cancelled; a run that goes on ends, or is left behind."""
        for job in self._jobs.close():
            if not job.answer.cancel():
                job.drop(LinkError("the pool was closed before another board could run the images again"))
        until = time.monotonic() + JOIN
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, until - time.monotonic()))

    # --- a member's thread -----------------------------------------------------------------------------

    def _serve(self, number: int) -> None:
        member, record = self._members[number], self._records[number]
        in_a_row = 0
        while not record.out:
            before = record.images
            try:
                with member.open() as link:
                    run(self._work(number, link))
                return
            except (Spec2Error, OSError) as error:
                in_a_row = 1 if record.images > before else in_a_row + 1
                stale = isinstance(error, DigestMismatch) and member.prepare is None
                lost = stale or in_a_row == self._most_failures
                self._failed(number, error, out=lost)
            except Exception as error:  # a fault of ours: it ends this thread, and is shown
                self._failed(number, error, out=True)
                raise
            if not record.out and not self._jobs.pause(min(LONGEST, self._pause * 2 ** (in_a_row - 1))):
                return

    async def _work(self, number: int, link: Link) -> None:
        """Take jobs until the queue is closed. Raises what the board fails with; its job is queued again."""
        member, driver = self._members[number], Driver(link, self._info)
        await driver.connect()
        if member.prepare:
            await member.prepare(driver, link)
        elif self._info.config.stream_weights and not await driver.check_weights():
            raise DigestMismatch(STALE)
        self._records[number].open = True
        while (job := self._jobs.take(number)) is not None:
            start = time.monotonic()
            try:
                scores = await driver.run(job.images, batch=len(job.images))
                seconds = time.monotonic() - start
                clocks = sum(layer.cycles for layer in (await driver.counters()).layers)
            except BaseException as error:
                self._again(job, number, error)
                raise
            self._records[number].images += len(job.images)
            job.answer.set_result(Answer(scores, seconds, clocks, member.name))

    def _again(self, job: Job, number: int, error: BaseException) -> None:
        job.failed.append(number)
        poison = len(job.failed) >= MOST_TRIES and self._jobs.hopeless(job)
        if poison or not isinstance(error, Spec2Error | OSError) or not self._jobs.put(job):
            job.drop(error)

    def _failed(self, number: int, error: Exception, *, out: bool) -> None:
        record = self._records[number]
        with self._lock:
            news = out or record.open or record.why != str(error)
            record.failures += 1
            record.open = False
            record.why = str(error)
            record.out = out
            nobody = all(other.out for other in self._records)
        if out:
            self._jobs.without(number)
        if nobody:
            for job in self._jobs.close():
                job.drop(self._nobody())
        if news and self._lost:
            self._lost(list(self.records)[number], record)

    def _nobody(self) -> LinkError:
        reasons = "; ".join(f"{name}: {record.why}" for name, record in self.records.items() if record.out)
        return LinkError(f"no board is left that answers ({reasons or 'the pool is closed'})")
