"""Work in several processes comes back in order, and its faults as if it had been done here."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hw.compile import compiler
from hw.compile.schedule import layer
from hw.compile.schedule.report import schedule_report
from hw.contract.artifact import random_artifact
from hw.contract.config import AcceleratorConfig
from hw.contract.network import lenet, tiny
from hw.util.errors import ConfigError, ToolFailed
from hw.util.processes import in_order, processors, run

ROOT = Path(__file__).parents[3]


def squared(x: int) -> tuple[int, int]:
    return x * x, os.getpid()


def refuse() -> None:
    raise ConfigError("no")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_the_order_of_the_calls(processes):
    found = list(in_order([partial(squared, x) for x in range(6)], processes))
    assert [value for value, _ in found] == [0, 1, 4, 9, 16, 25]
    assert (os.getpid() in {process for _, process in found}) == (processes == 1)


def test_one_call_starts_no_process_and_none_is_made_before_it_is_asked_for():
    assert list(in_order([partial(squared, 3)], 8)) == [(9, os.getpid())]
    assert list(in_order([], 8)) == []
    calls = in_order([partial(squared, 2), refuse])
    assert next(calls)[0] == 4
    with pytest.raises(ConfigError):
        next(calls)


def test_faults_arrive():
    with pytest.raises(ConfigError, match="no"):
        list(in_order([refuse, refuse], 2))
    with pytest.raises(ToolFailed, match="ended from outside, perhaps for want of memory"):
        list(in_order([die, die], 2))


def test_a_script_needs_no_guard(tmp_path):
    """Its own lines run once, not in every process."""
    script = tmp_path / "script.py"
    script.write_text(
        "import math\nfrom functools import partial\nfrom hw.util.processes import in_order\n"
        "print('begins')\n"
        "print(list(in_order([partial(math.factorial, n) for n in (3, 4, 5)], 2)))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, env=environment)
    assert (done.stdout, done.stderr) == ("begins\n[6, 24, 120]\n", "")


def sleeping(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(60)


def test_none_outlives_a_caller_that_was_killed(tmp_path):
    calls = f"[partial(sleeping, Path({str(tmp_path)!r}))] * 2"
    code = "from functools import partial; from pathlib import Path; from hw.util.processes import in_order\n"
    code += "from tests.hw.util.test_processes import sleeping\n"
    caller = subprocess.Popen([sys.executable, "-c", f"{code}list(in_order({calls}, 2))"], cwd=ROOT)
    until(lambda: len(list(tmp_path.iterdir())) == 2)
    caller.kill()
    caller.wait()
    until(lambda: not any(runs(path.name) for path in tmp_path.iterdir()))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_programs_and_what_they_start_end_with_a_caller_that_was_killed(tmp_path, number):
    """As make and its compilers: deaf to what a terminal sends, and one of them a grandchild."""
    program = f"trap '' HUP INT TERM; (echo $$; sleep 61 & echo $!; wait) > {tmp_path}/ids; :"
    code = "from pathlib import Path; from hw.util.processes import run\n"
    code += f"run(['sh', '-c', {program!r}], Path('.'), print)"
    heard = {"preexec_fn": lambda: signal.signal(number, signal.SIG_DFL)} if number != signal.SIGKILL else {}
    caller = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **heard)  # nohup ignores SIGHUP
    until(lambda: (tmp_path / "ids").exists() and len((tmp_path / "ids").read_text().split()) == 2)
    ids = (tmp_path / "ids").read_text().split()
    assert all(map(runs, ids))
    caller.send_signal(number)
    caller.wait()
    until(lambda: not any(map(runs, ids)))


def test_a_program_is_heard_and_ends_with_its_call(tmp_path):
    heard: list[str] = []
    script = "pwd; echo \"$WORD\" >&2; printf '\\377no end'; sleep 62 & echo $! > id; kill -TERM $$"
    code = run(["sh", "-c", script], tmp_path, heard.append, environment={**os.environ, "WORD": "größer"})
    assert code == -signal.SIGTERM and "".join(heard) == f"{tmp_path}\ngrößer\n\ufffdno end"
    until(lambda: not runs((tmp_path / "id").read_text().strip()))
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", "sleep 63 & wait"], tmp_path, heard.append, seconds=0.2)
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        run([tmp_path / "no-such-program"], tmp_path, heard.append)


def test_a_listener_that_fails_ends_the_program(tmp_path):
    def refuse(line: str) -> None:
        raise ConfigError(line)

    with pytest.raises(ConfigError, match=r"\d+") as caught:
        run(["sh", "-c", "trap '' HUP TERM INT; echo $$; sleep 64"], tmp_path, refuse)
    until(lambda: not runs(str(caught.value).strip()))


def runs(process: str) -> bool:
    """Not if it has ended and nobody has asked how."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def until(true: Callable[[], bool]) -> None:
    """Wait half a minute at most."""
    for _ in range(300):
        if true():
            return
        time.sleep(0.1)
    pytest.fail("it did not come true within 30 seconds")


def test_processors_are_those_of_this_process(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5, 6}, raising=False)
    assert processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    assert processors() == os.cpu_count()


@pytest.mark.parametrize(
    "network",
    [pytest.param(tiny(), id="tiny"), pytest.param(lenet(), id="lenet", marks=pytest.mark.slow)],
)
def test_programs_are_the_same_however_many_schedule_them(network, monkeypatch):
    """A layer that is n:m between irregular ones has to keep its place."""
    monkeypatch.setattr(layer, "FEW_PRODUCTS", 0)
    artifact, other = (random_artifact(network, seed=3, kind=kind) for kind in ("kernel", "adaptive"))
    second = network.layers[1].name
    layers = artifact.layers | {second: other.layers[second]}
    artifact = replace(artifact, layers=layers, sparsity=artifact.sparsity | {second: other.sparsity[second]})
    names: list[str] = []
    one, two = (
        compiler.compile_program(artifact, AcceleratorConfig(8, 2, 2), processes=count, progress=names.append)
        for count in (1, 2)
    )
    assert names == 2 * [one.name for one in network.layers]
    for a, b in zip(one.step_tables, two.step_tables, strict=True):
        for name in ("word", "groups", "select", "weight", "end_of_word", "end_of_pass"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    reports = [schedule_report(artifact, 8, processes=count) for count in (1, 2)]
    for row in (row for rows in reports for row in rows):
        del row["seconds"]
    assert reports[0] == reports[1]
