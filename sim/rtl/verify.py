"""The Verilog against the integer model: equality of every result, and the clocks it counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hw.contract import results
from hw.contract.artifact import Artifact
from hw.contract.design import DesignInfo
from hw.host.counters import Count, Counters
from hw.util import documents
from hw.util.errors import DigestMismatch, LinkError, ToolFailed
from sim import model, rtl
from sim.bench.job import Memory
from sim.rtl import answers
from sim.rtl.mismatch import MAP, SCORES, first_mismatch
from sim.rtl.waves.recording import Recording

Progress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Verification:
    """What a simulation proved and measured.

    images: compared as asked for. mismatches: images with a wrong value, in these and in the two measured
    runs. first_mismatch: the first one, in words.
    correct: images classified as labelled, None without labels. stalls, seed: of the compared runs.
    single, batch: counters of an undisturbed run of one image, and of a full batch.
    clocks: simulated in all; seconds: wall time.
    """

    images: Count
    mismatches: Count
    first_mismatch: str | None
    correct: Count | None
    stalls: bool
    seed: int
    single: Counters
    batch: Counters
    clocks: Count
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)

    @classmethod
    def load(cls, design: Path | str) -> Verification | None:
        """The stored result for the design in that folder; None when there is none, or it is stale."""
        data = results.load(design, results.SIMULATION, cls)
        if data is None:
            return None
        found: Verification = documents.convert(data, cls, results.SIMULATION)
        layers = [layer.name for layer in DesignInfo.load(design).network.layers]
        runs = (found.single, found.batch)
        whole = all(run.cycles and [layer.name for layer in run.layers] == layers for run in runs)
        return found if whole else None


def verify(
    design: Path | str,
    artifact: Artifact,
    images: NDArray[np.uint8],
    labels: NDArray[np.integer] | None = None,
    *,
    stalls: bool = False,
    seed: int = 0,
    memory: Memory | None = None,
    waves: Recording | None = None,
    progress: Progress | None = None,
) -> Verification:
    """Run ``images`` (n, h, w) or (n, c, h, w) through the Verilog in folder ``design`` and the model.

    ``stalls`` interrupts every port of the accelerator at random (from ``seed``) while results are
    compared. ``memory``: how external memory behaves, for a design that reads its weights from there.
    ``waves``: record these of the compared runs.
    Cycles always come from undisturbed runs of one image and of one full batch, compared as well.
    Writes ``simulation.json`` (:mod:`hw.contract.results`) and, of class scores, ``answers.npz``
    (:mod:`sim.rtl.answers`). Raises ``DigestMismatch`` when the design has
    other weights, ``ToolNotFound`` or ``ToolFailed`` from the simulator, ``DataError`` for images that do not
    fit, ``ConfigError`` for waves that would fill a disk.
    """
    folder, info = Path(design), DesignInfo.load(design)
    if artifact.digest != info.digest:
        raise DigestMismatch(
            f"{folder} was generated from artifact {info.digest[:8]}…, not from {artifact.digest[:8]}…: "
            "generate it again"
        )
    if waves is not None:
        waves.check(info, len(images), stalls)
    start, size = time.monotonic(), info.config.batch
    batch = np.resize(images, (size, *images.shape[1:]))  # the images, repeated if they are too few
    try:
        compared = rtl.simulate(
            folder,
            images,
            batch=size,
            stalls=stalls,
            seed=seed,
            memory=memory,
            waves=waves,
            progress=progress,
        )
        traced = waves is not None
        full = rtl.simulate(folder, batch, batch=size, memory=memory, traced=traced)
        single = rtl.simulate(folder, images[:1], batch=1, memory=memory, traced=traced)
    except (LinkError, ToolFailed):
        # The Verilog ran and failed: what an earlier run found must not stand. A missing tool or a wrong
        # image says nothing about the design.
        results.discard(folder, results.SIMULATION)
        results.discard(folder, answers.FILE_NAME)
        raise
    wrong, first = _compare(
        artifact, [images, batch, images[:1]], [r.scores for r in (compared, full, single)]
    )
    result = Verification(
        images=len(images),
        mismatches=wrong,
        first_mismatch=first,
        correct=None if labels is None else int((compared.scores.argmax(axis=1) == labels).sum()),
        stalls=stalls,
        seed=seed,
        single=single.counters[0],
        batch=full.counters[0],
        clocks=compared.clocks + full.clocks + single.clocks,
        seconds=round(time.monotonic() - start, 1),
    )
    results.save(folder, results.SIMULATION, result.to_json())
    if compared.scores.ndim == 2:
        answers.save(folder, images, compared.scores, labels)
    else:
        results.discard(folder, answers.FILE_NAME)
    return result


def _compare(
    artifact: Artifact, images: list[NDArray[np.uint8]], actual: list[NDArray[np.int32]]
) -> tuple[int, str | None]:
    """(images with a wrong value, the first one in words) over the images of several runs."""
    expected = model.run(artifact, np.concatenate(images)).astype(np.int32)
    found = np.concatenate(actual)
    first = first_mismatch(expected, found, SCORES if expected.ndim == 2 else MAP)
    wrong = np.any(expected != found, axis=tuple(range(1, expected.ndim)))
    return int(wrong.sum()), str(first) if first else None
