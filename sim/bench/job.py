"""What the simulating process is asked to do, and what it answers: two ``.npz`` files in the run folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

import hw.util.errors
from hw.contract.design import DesignInfo
from hw.cost.weight_arrival import MEMORY_LATENCY
from hw.host.counters import Count, Counters
from hw.util import archives, documents
from hw.util.errors import Spec2Error, ToolFailed

VARIABLE = "SPEC2_RUN_DIR"
"""Environment variable that tells the simulating process its run folder."""


PERIOD = 10
"""Clock period in ns. Only ratios matter: nothing in the design knows time."""

PROGRESS = "@progress "
"""A line of the simulator's output that starts so carries ``done total`` and is not logged."""


@dataclass(frozen=True)
class Memory:
    """External memory in the bench: clocks from a burst's address to its first beat, and idle ones after
    every beat."""

    latency: int = MEMORY_LATENCY
    gap: int = 0


@dataclass(frozen=True)
class Job:
    """Run ``images`` (n, c, h, w) on the design, ``batch`` at a time.

    stalls: pause every channel at random. seed: of the stalls and of the reset's time. reset_midway:
    first interrupt a run with a reset. layers: first and last, None for
    all. memory: how external memory behaves. timeout: clocks to wait for the results of a run.
    """

    info: DesignInfo
    images: NDArray[np.uint8]
    batch: int
    stalls: bool
    seed: int
    reset_midway: bool
    timeout: int
    layers: tuple[int, int] | None
    memory: Memory

    def save(self, run_dir: Path) -> None:
        """Write the job into ``run_dir`` and remove an older answer."""
        (run_dir / "answer.npz").unlink(missing_ok=True)
        header = {k: v for k, v in vars(self).items() if k not in ("info", "images", "memory")}
        values = {"info": self.info.to_json(), "memory": asdict(self.memory)}
        _save(run_dir / "job.npz", {**header, **values}, self.images)

    @classmethod
    def load(cls, run_dir: Path) -> Job:
        """The inverse of :meth:`save`."""
        header, images = _load(run_dir / "job.npz")
        values = {"info": DesignInfo.from_json(header["info"]), "memory": Memory(**header["memory"])}
        return cls(**{**header, **values, "images": images})


@dataclass(frozen=True)
class Answer:
    """Results of a job: ``scores`` as from ``Driver.run``, one ``Counters`` per run, clocks simulated.

    An error of the driver stands in ``error`` as (class name, message); the results are void then.
    """

    scores: NDArray[np.int32]
    counters: tuple[Counters, ...]
    clocks: int
    error: tuple[str, str] | None = None

    def save(self, run_dir: Path) -> None:
        """Write the answer into ``run_dir``."""
        header = {
            "counters": [asdict(counters) for counters in self.counters],
            "clocks": self.clocks,
            "error": self.error,
        }
        _save(run_dir / "answer.npz", header, self.scores)

    @classmethod
    def load(cls, run_dir: Path, log: Path) -> Answer:
        """The inverse of :meth:`save`. Raises the driver's error again if there was one.

        ``log`` is named by the ``ToolFailed`` for a run that left no answer.
        """
        try:
            data, scores = _load(run_dir / "answer.npz")
            header: _Header = documents.convert(data, _Header, "its header")
        except FileNotFoundError:
            raise ToolFailed(f"the simulation ended without an answer: see {log}") from None
        except (OSError, KeyError, Spec2Error) as error:
            raise ToolFailed(f"the simulation's answer cannot be read ({error}): see {log}") from None
        if header.error:
            name, message = header.error
            kind = getattr(hw.util.errors, name, Spec2Error)
            known = isinstance(kind, type) and issubclass(kind, Spec2Error)
            raise kind(message) if known else Spec2Error(message)
        return cls(scores, header.counters, header.clocks)


class _Header(msgspec.Struct):
    """What stands beside the scores."""

    counters: tuple[Counters, ...]
    clocks: Count
    error: tuple[str, str] | None


def _save(path: Path, header: dict[str, Any], array: NDArray[Any]) -> None:
    blob = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    archives.save(path, header=blob, array=array)


def _load(path: Path) -> tuple[dict[str, Any], NDArray[Any]]:
    with archives.opened(path) as file:
        header: dict[str, Any] = documents.decode(file.take("header").tobytes(), dict[str, Any], str(path))
        return header, file.take("array")
