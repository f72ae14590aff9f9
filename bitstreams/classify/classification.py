"""Images through an accelerator behind a link: labels, scores, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitstreams.classify.images import Batch
from bitstreams.links.pool.member import Record
from bitstreams.links.pool.pool import Pool
from hw.contract.design import DesignInfo
from hw.host.driver import STALE, Driver
from hw.host.link import Link
from hw.util.errors import DataError, DigestMismatch

Progress = Callable[[int, int], None]
"""Called with (images done, images in all) after each run."""


@dataclass(frozen=True)
class Classification:
    """What a board made of a batch of images.

    scores: (n, classes). latency: seconds of every run, from its start to its last score, the host and the
    wire included. clocks: that the accelerator computed for each run, without loading images and handing
    over results. boards: of several, what each did; seconds: for which all of them together were at it.
    """

    batch: Batch
    scores: NDArray[np.int32]
    latency: tuple[float, ...]
    clocks: tuple[int, ...]
    boards: Mapping[str, Record] = field(default_factory=dict)
    seconds: float | None = None

    @property
    def labels(self) -> NDArray[np.int64]:
        """The class with the highest score of every image."""
        labels: NDArray[np.int64] = self.scores.argmax(axis=1)
        return labels

    @property
    def correct(self) -> int | None:
        """Images labelled as their file says, None where it says nothing."""
        return None if self.batch.labels is None else int((self.labels == self.batch.labels).sum())

    def to_json(self, *, scores: bool) -> dict[str, Any]:
        """Plain data; ``scores`` puts those of every image beside its label."""
        images = [
            {"image": name, "label": int(label), **({"scores": row.tolist()} if scores else {})}
            for name, label, row in zip(self.batch.names, self.labels, self.scores, strict=True)
        ]
        seconds = sum(self.latency) if self.seconds is None else self.seconds
        boards = {"boards": {name: _said(record) for name, record in self.boards.items()}}
        return {
            "images": images,
            "correct": self.correct,
            "latency_ms": {
                "median": round(1000 * float(np.median(self.latency)), 3),
                "worst": round(1000 * max(self.latency), 3),
            },
            "images_per_second": round(len(images) / seconds, 2),
            "clocks_per_run": {"median": int(np.median(self.clocks)), "worst": max(self.clocks)},
            **(boards if self.boards else {}),
        }


def _said(record: Record) -> dict[str, Any]:
    """What is worth saying of a board."""
    failed = {"failures": record.failures, "why": record.why, "out": record.out}
    return {"images": record.images, **(failed if record.failures else {})}


async def classify(
    link: Link,
    info: DesignInfo,
    batch: Batch,
    *,
    size: int = 0,
    prepare: Callable[[Driver], Awaitable[object]] | None = None,
    progress: Progress | None = None,
) -> Classification:
    """Connect to the accelerator of ``info`` behind ``link`` and run ``batch``, ``size`` images at a time.

    ``size`` 0 takes as many as the accelerator does. ``prepare`` is awaited before the first run: it may load
    weights. Raises ``DataError`` when the network ends in a feature map, ``DigestMismatch`` when the board's
    memory holds other weights than the design's, and what :meth:`hw.host.driver.Driver.connect` and
    :meth:`~hw.host.driver.Driver.run` raise.
    """
    if info.network.classes is None:
        raise DataError(f"network {info.network.name!r} ends in a feature map: it gives no labels")
    driver = Driver(link, info)
    await driver.connect()
    if prepare:
        await prepare(driver)
    elif info.config.stream_weights and not await driver.check_weights():
        raise DigestMismatch(STALE)
    size = size or info.config.batch
    parts: list[NDArray[np.int32]] = []
    latency: list[float] = []
    clocks: list[int] = []
    for first in range(0, len(batch.images), size):
        part = batch.images[first : first + size]
        start = time.monotonic()
        parts.append(await driver.run(part, batch=size))
        latency.append(time.monotonic() - start)
        clocks.append(sum(layer.cycles for layer in (await driver.counters()).layers))
        if progress:
            progress(first + len(part), len(batch.images))
    return Classification(batch, np.concatenate(parts), tuple(latency), tuple(clocks))


def classify_on(
    pool: Pool, info: DesignInfo, batch: Batch, *, size: int = 0, progress: Progress | None = None
) -> Classification:
    """Run ``batch`` on the boards of a pool, otherwise as :func:`classify`: results are in the order of the
    images, whichever board gave them.

    Raises ``LinkError`` when no board is left, ``DataError`` for a size that the accelerator does not take.
    """
    size = size or info.config.batch
    start = time.monotonic()
    futures = [pool.submit(batch.images[first : first + size]) for first in range(0, len(batch.images), size)]
    done = 0
    for future in as_completed(futures):
        done += len(future.result().scores)
        if progress:
            progress(done, len(batch.images))
    seconds = time.monotonic() - start
    found = [future.result() for future in futures]
    return Classification(
        batch,
        np.concatenate([answer.scores for answer in found]),
        tuple(answer.seconds for answer in found),
        tuple(answer.clocks for answer in found),
        pool.records,
        seconds,
    )
