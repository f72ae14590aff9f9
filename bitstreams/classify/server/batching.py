"""Images of any requests, put together to runs: as many at a time as have come while all boards were busy."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from bitstreams.links.pool.member import Answer
from bitstreams.links.pool.pool import Pool
from hw.util.errors import Spec2Error

Image = NDArray[np.uint8]
Scores = NDArray[np.int32]


class Overloaded(Spec2Error):
    """More images wait than may."""


class Batcher:
    """Hands images to ``pool`` in runs of at most ``size``; at most ``most`` images wait or run at a time.

    A board that is free gets what there is, at once: one image if nothing else waits. While all are busy
    images gather, so runs grow with the load. To be used from one event loop.
    """

    def __init__(self, pool: Pool, size: int, most: int) -> None:
        self._pool, self._size, self._most = pool, size, most
        self._waiting: deque[tuple[Image, asyncio.Future[Scores]]] = deque()
        self._runs, self.images = 0, 0

    async def scores(self, images: Image) -> Scores:
        """(n, classes) of images (n, c, h, w).

        Raises :class:`Overloaded` for more than there is room for, and what the pool raises.
        """
        if self.images + len(images) > self._most:
            raise Overloaded(
                f"{self.images} images wait already, and {self._most} may: send {len(images)} more later"
            )
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in images]
        self.images += len(images)
        try:
            self._waiting.extend(zip(images, futures, strict=True))
            self._fill()
            return np.stack(await asyncio.gather(*futures))
        finally:
            self.images -= len(images)
            for future in futures:
                future.cancel()

    def _fill(self) -> None:
        """Give every free board a run."""
        while self._waiting and self._runs < self._pool.boards:
            part: list[tuple[Image, asyncio.Future[Scores]]] = []
            while self._waiting and len(part) < self._size:
                image, future = self._waiting.popleft()
                if not future.done():  # whoever asked for it has gone
                    part.append((image, future))
            if part:
                self._run([image for image, _ in part], [future for _, future in part])

    def _run(self, images: list[Image], futures: list[asyncio.Future[Scores]]) -> None:
        self._runs += 1
        loop = asyncio.get_running_loop()

        def done(answer: Future[Answer]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._done, answer, futures)

        self._pool.submit(np.stack(images)).add_done_callback(done)

    def _done(self, answer: Future[Answer], futures: list[asyncio.Future[Scores]]) -> None:
        self._runs -= 1
        error = None if answer.cancelled() else answer.exception()
        for i, future in enumerate(futures):
            if future.done():
                continue
            if answer.cancelled():
                future.cancel()
            elif error is not None:
                future.set_exception(error)
            else:
                future.set_result(answer.result().scores[i])
        self._fill()
