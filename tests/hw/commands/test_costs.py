"""``--profile``: a file that pstats reads, and the costliest functions on stderr."""

import json
import pstats
import re


def slow(*_) -> None:
    total = 0
    for i in range(1_000_000):
        total += i * i


def test_a_profile_is_written_and_its_ten_costliest_functions_are_shown(run, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr("bitstreams.commands.boards.emit", slow)
    done = run("--profile", tmp_path / "a profile", "boards")
    assert done.code == 0 and done.out == ""
    found = pstats.Stats(str(tmp_path / "a profile"))
    costliest = max(found.stats, key=lambda function: found.stats[function][2])
    assert costliest[2] == "slow" and costliest[0] == __file__
    rows = re.findall(r"^ +[\d/]+ +\d+\.\d+ .*$", done.err, re.M)
    assert len(rows) == 10 and "test_costs.py" in rows[0]
    assert done.err.endswith(f"python -m pstats '{tmp_path}/a profile'\n")


def test_results_stay_alone_on_stdout(run, tmp_path) -> None:
    assert json.loads(run("--profile", tmp_path / "p", "boards", "--json").out)


def test_a_command_that_fails_is_profiled_too(run, tmp_path) -> None:
    done = run("--profile", tmp_path / "p", "generate", "nothing.npz")
    assert done.code == 2 and "there is no artifact" in done.err and pstats.Stats(str(tmp_path / "p")).stats


def test_a_file_that_cannot_be_written_is_refused_before_any_work(run, monkeypatch) -> None:
    monkeypatch.setattr("bitstreams.commands.boards.emit", None)
    assert "cannot write" in run("--profile", "/proc/no/p", "boards").sentence
