"""``spec2 sweep``: jobs, table, files; for real in the slow tests, with a worker that is killed."""

import json
import os
import signal
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from hw.contract.artifact import load
from hw.util.errors import ConfigError
from sim.commands import sweep as command

SWEEP = 'recipe = "lenet"\nseeds = [0, 1]\n[grid]\nsparsity = ["adaptive-2:8", "block"]\n'


@pytest.fixture
def file(tmp_path):
    (tmp_path / "mine.toml").write_text(SWEEP)
    return tmp_path / "mine.toml"


def test_every_job_is_what_prune_does_with_a_seed(run, file, monkeypatch, tmp_path):
    asked = []

    def prune_and_measure(recipe, out, **options):
        asked.append((recipe, out, options))
        if options["seed"] and options["sparsity"] == "block":
            raise ConfigError("it does not fit")
        return {"dense": 99.0 + options["seed"], "integer": 98.0}

    monkeypatch.setattr(command, "prune_and_measure", prune_and_measure)
    result = run("sweep", file, "--out", tmp_path / "out", "--json")
    failed = "1 of 4 trainings failed, first sparsity block, seed 1: it does not fit"
    assert result.code == 1 and failed in result.err
    recipe, folder, options = asked[1]
    assert recipe == "lenet" and folder == tmp_path / "out" / "block-seed0"
    wanted = {"seed": 0, "sparsity": "block", "threads": 1, "data_dir": None}
    assert options | wanted == options
    data = json.loads(result.out)
    assert json.loads((tmp_path / "out" / "sweep.json").read_text()) == data
    assert data["cases"][0]["measured"]["dense"] == {"mean": 99.5, "stdev": 0.7071}
    assert [job["error"] for job in data["jobs"]] == ["", "", "", "it does not fit"]
    asked.clear()
    text = run("sweep", file, "--out", tmp_path / "out").out
    assert len(asked) == 1 and "99.50 ± 0.71" in text


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["none.toml"], "cannot read the sweep none.toml"),
        (["FILE", "--workers", "0"], "workers"),
        (["FILE", "--data-dir", "nothing"], "mnist_train.npz"),
    ],
)
def test_what_is_refused(run, file, tmp_path, arguments, sentence):
    arguments = [file if argument == "FILE" else argument for argument in arguments]
    result = run("sweep", *arguments, "--out", tmp_path / "out")
    assert sentence in result.err and "Traceback" not in result.err and result.code in (1, 2)


def test_two_sweeps_do_not_write_into_one_folder(run, file, tmp_path, monkeypatch):
    inner = []

    def prune_and_measure(recipe, out, **options):
        inner.append(run("sweep", file, "--out", tmp_path / "out"))
        return {"integer": 98.0}

    monkeypatch.setattr(command, "prune_and_measure", prune_and_measure)
    assert run("sweep", file, "--out", tmp_path / "out").code == 0
    assert {(found.code, "another process is making this sweep" in found.sentence) for found in inner} == {
        (2, True)
    }


@pytest.mark.slow
def test_two_workers_train_what_one_does_though_one_is_killed(run, tmp_path):
    """Real trainings; digests of the models are compared."""
    psutil = pytest.importorskip("psutil")
    epochs = "dense = 2\npruning = 1\nfinetune = 1\nmirror = 1\n"
    (tmp_path / "few.toml").write_text(
        f'network = "lenet"\ndata = "mnist"\n[epochs]\n{epochs}[epochs.few]\n{epochs}'
    )
    file = tmp_path / "sweep.toml"
    file.write_text(SWEEP.replace('"lenet"', '"few.toml"'))
    killed = []

    def kill(folder: Path) -> None:
        while not list(folder.glob("*/training.csv")):
            time.sleep(0.2)
        time.sleep(2)
        family = psutil.Process().children(recursive=True)
        busy = [one for one in family if not one.children() and one.cpu_percent(0.5) > 20]
        os.kill(busy[0].pid, signal.SIGKILL)
        killed.append(busy[0].pid)

    found = []
    for workers in (1, 2):
        out = tmp_path / f"out{workers}"
        if workers == 2:
            threading.Thread(target=kill, args=(out,), daemon=True).start()
        result = run("sweep", file, "--out", out, "--workers", str(workers), "--json")
        assert result.code == 0, result.err
        jobs = json.loads(result.out)["jobs"]
        digests = [load(out / job["folder"] / "model.npz").digest for job in jobs]
        found.append((digests, [job["measured"] for job in jobs]))
    assert killed and found[0] == found[1] and len(set(found[0][0])) == 4
    assert np.mean([measured["integer"] for measured in found[0][1]]) > 90
