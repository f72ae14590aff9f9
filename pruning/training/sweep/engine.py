"""Jobs are carried out: one after another in this process, or by the workers of a Dask cluster.

A job that a worker took with it when it died is given to another one; a result lies in its job's folder, so a
sweep that was broken off goes on with what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from hw.util import documents
from hw.util.errors import Spec2Error, ToolFailed
from hw.util.files import write_json
from pruning.training.sweep.plan import Job

RESULT = "sweep.json"
"""In a job's folder: its key and what it measured."""

TRIES = 5
"""Workers that may die with a job before it is taken for the cause."""

Percent = Annotated[float, Meta(ge=0, le=100)]

Work = Callable[[Job], dict[str, float]]
"""Carries a job out, in whatever process; returns accuracies in percent."""

Told = Callable[[int, int, str], None]
"""Called with (jobs that are done, jobs in all, name of the one that is)."""


@dataclass(frozen=True)
class Outcome:
    """Of a job: what it measured, or why it could not."""

    job: Job
    measured: dict[str, float]
    error: str = ""


def carry_out(
    jobs: Sequence[Job],
    work: Work,
    *,
    workers: int = 1,
    cluster: str | None = None,
    told: Told | None = None,
) -> list[Outcome]:
    """The outcomes of all ``jobs``, in their order.

    workers: processes of this machine, one job each at a time. cluster: the address of a Dask scheduler
    instead, whose workers see the folders of the jobs and have this package. Jobs of a seed wait for the
    first of them, which trains the dense network for all. Raises ``ToolNotFound`` without Dask,
    ``ToolFailed`` where there is no cluster.
    """
    done = {job.folder: found for job in jobs if (found := known(job)) is not None}

    def finished(outcome: Outcome) -> None:
        done[outcome.job.folder] = outcome
        if told:
            told(len(done), len(jobs), outcome.job.name)

    missing = [job for job in jobs if job.folder not in done]
    if missing and (cluster or workers > 1):
        with _client(min(workers, len(missing)), cluster) as client:
            _on_cluster(client, missing, work, finished)
    else:
        for job in missing:
            finished(attempt(job, work))
    return [done[job.folder] for job in jobs]


def known(job: Job) -> Outcome | None:
    """The outcome that lies in the job's folder, if it is this job's."""
    path = job.folder / RESULT
    if not path.exists():
        return None
    found: Any = documents.decode(documents.needed(path), Any, str(path))
    if not isinstance(found, dict) or found.get("key") != job.key:
        return None
    return Outcome(job, documents.convert(found.get("measured"), dict[str, Percent], str(path)))


def attempt(job: Job, work: Work) -> Outcome:
    """Carry out a job and write what it measured into its folder; what is wrong with it is its outcome."""
    try:
        measured = work(job)
        write_json(job.folder / RESULT, {"key": job.key, "measured": measured})
    except Spec2Error as error:
        return Outcome(job, {}, str(error))
    return Outcome(job, measured)


def _after(job: Job, work: Work, first: Outcome | None) -> Outcome:
    """As :func:`attempt`, once ``first`` is there, on a worker: which may have died when the job was done."""
    return known(job) or attempt(job, work)


def _on_cluster(client: Any, jobs: Sequence[Job], work: Work, finished: Callable[[Outcome], None]) -> None:
    from distributed import as_completed

    first: dict[int, Any] = {}
    waiting = {}
    for job in jobs:
        future = client.submit(_after, job, work, first.get(job.seed), pure=False)
        first.setdefault(job.seed, future)
        waiting[future] = job
    for future in as_completed(list(waiting)):
        job, error = waiting[future], future.exception()
        if error is None:
            finished(future.result())
        elif type(error).__name__ == "KilledWorker":
            finished(Outcome(job, {}, f"{TRIES} workers died with it: see its log in {job.folder}"))
        else:
            raise error


@contextmanager
def _client(workers: int, cluster: str | None) -> Iterator[Any]:
    """A client of the cluster at that address, or of one of ``workers`` processes that ends with it."""
    from hw.util.errors import ToolNotFound

    try:
        import dask
        from distributed import Client, LocalCluster
    except ModuleNotFoundError as error:
        raise ToolNotFound(
            f"sweeps with several workers need the Python package {error.name}, which is not installed: "
            "pip install 'spec2[sweep]', or take --workers 1"
        ) from None
    with dask.config.set({"distributed.scheduler.allowed-failures": TRIES}):
        if cluster is not None:
            try:
                with Client(cluster, timeout=20) as client:
                    yield client
            except OSError as error:
                raise ToolFailed(
                    f"there is no Dask scheduler at {cluster}: {error or 'it does not answer'}"
                ) from None
            return
        with (
            LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                # Not None: distributed 2026.8 then takes port 8787 all the same, which another sweep has.
                dashboard_address="127.0.0.1:0",
                silence_logs=50,
            ) as local,
            Client(local) as client,
        ):
            yield client


def log_of(job: Job) -> Path:
    """Where a job on a worker writes what it would say on a terminal."""
    return job.folder / "sweep.log"
