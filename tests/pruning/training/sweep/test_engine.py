"""Jobs on one worker and on two: the same outcomes, whatever dies in between."""

import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import pytest

from hw.util.errors import ArtifactError, ConfigError, ToolFailed
from pruning.training.sweep import engine
from pruning.training.sweep.engine import RESULT, attempt, carry_out, known
from pruning.training.sweep.plan import Job


def jobs_in(folder, seeds=2, key="k"):
    return [
        Job("lenet", {"weight_bits": bits}, seed, folder / f"{bits}-{seed}", f"{key}{bits}{seed}")
        for seed in range(seeds)
        for bits in (4, 8)
    ]


def measured(job: Job) -> dict[str, float]:
    """Work that says who did what when."""
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / "runs").open("a") as runs:
        runs.write(f"{os.getpid()} {time.monotonic()}\n")
    if (job.folder.parent / "die").exists() and job.folder.name == "8-0":
        (job.folder.parent / "die").unlink()
        os._exit(9)
    if (job.folder.parent / "refuse").exists() and job.folder.name == "4-1":
        raise ConfigError("there is nothing to train")
    time.sleep(0.05)
    return {"integer": 90.0 + job.seed + job.changes["weight_bits"] / 100}


def runs(job):
    return (job.folder / "runs").read_text().splitlines()


def test_two_workers_find_what_one_does_and_a_killed_ones_job_is_redone(tmp_path):
    alone = carry_out(jobs_in(tmp_path / "alone"), measured)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "die").touch()
    jobs, told = jobs_in(shared), []
    both = carry_out(jobs, measured, workers=2, told=lambda *what: told.append(what))
    assert [o.measured for o in both] == [o.measured for o in alone] and not any(o.error for o in both)
    assert [len(runs(job)) for job in jobs] == [1, 2, 1, 1], "the job that died was not done again, alone"
    assert [done for done, _, _ in told] == [1, 2, 3, 4] and {name for _, _, name in told} == {
        job.name for job in jobs
    }
    pids = {line.split()[0] for job in jobs for line in runs(job)}
    assert len(pids) >= 2 and str(os.getpid()) not in pids
    # The dense network of a seed is there when the others of it begin.
    for seed in (0, 1):
        first, other = (float(runs(job)[-1].split()[1]) for job in jobs[2 * seed : 2 * seed + 2])
        assert other >= first + 0.05


def test_two_sweeps_at_once_do_not_want_the_same_port(tmp_path):
    """8787 is what Dask shows its pages at unless told otherwise; a warning is an error here."""
    with socket.socket() as taken:
        with suppress(OSError):  # somebody has it, which is as good
            taken.bind(("0.0.0.0", 8787))
            taken.listen()
        found = carry_out(jobs_in(tmp_path, seeds=1), measured, workers=2)
    assert [o.error for o in found] == ["", ""]


def test_what_is_done_is_not_done_again(tmp_path):
    jobs = jobs_in(tmp_path)
    carry_out(jobs[:3], measured)
    found = carry_out(jobs, measured)
    assert [len(runs(job)) for job in jobs] == [1, 1, 1, 1] and len(found) == 4
    # Of other settings it is.
    again = carry_out(jobs_in(tmp_path, key="other"), measured)
    assert [len(runs(job)) for job in jobs] == [2, 2, 2, 2]
    assert [o.measured for o in again] == [o.measured for o in found]


def test_a_job_that_is_refused_leaves_the_others_alone(tmp_path):
    (tmp_path / "refuse").touch()
    jobs = jobs_in(tmp_path)
    found = carry_out(jobs, measured)
    assert [o.error for o in found] == ["", "", "there is nothing to train", ""]
    assert [(job.folder / RESULT).exists() for job in jobs] == [True, True, False, True]
    (tmp_path / "refuse").unlink()
    assert not any(o.error for o in carry_out(jobs, measured))


def test_a_job_that_kills_every_worker_is_an_outcome(tmp_path, monkeypatch):
    monkeypatch.setattr(engine, "TRIES", 1)
    jobs = jobs_in(tmp_path, seeds=1)
    found = carry_out(jobs, deadly, workers=2)
    assert "workers died with it" in found[1].error and not found[0].error


def deadly(job: Job) -> dict[str, float]:
    if job.changes["weight_bits"] == 8:
        os._exit(9)
    return {"integer": 1.0}


def test_no_scheduler_is_a_sentence(tmp_path, monkeypatch):
    import distributed

    def refuse(address, timeout):
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(ToolFailed, match=r"no Dask scheduler at tcp://127.0.0.1:1: Timed out"):
        carry_out(jobs_in(tmp_path), measured, cluster="tcp://127.0.0.1:1")


def test_a_damaged_result_is_named(tmp_path):
    job = jobs_in(tmp_path)[0]
    attempt(job, measured)
    path: Path = job.folder / RESULT
    assert known(job).measured == measured(job)
    path.write_text(json.dumps({"key": job.key, "measured": {"integer": "many"}}))
    with pytest.raises(ArtifactError, match=RESULT):
        known(job)
