"""Two trees' simulators compared, with runs that say what they are told to."""

import json
import subprocess
from types import SimpleNamespace

import pytest

from sim.rtl import benchmark


@pytest.fixture
def said(monkeypatch):
    """What runs say, by turn and tree: (clocks, seconds, sum of results). Gives the environments they had."""
    answers, seen = [], []

    def run(command, *, cwd, env, **options):
        seen.append((cwd, env["PYTHONPATH"]))
        clocks, seconds, total = answers.pop(0)
        line = json.dumps({"clocks": clocks, "seconds": seconds, "sum": total})
        return SimpleNamespace(stdout=f"some words\n{line}\n")

    monkeypatch.setattr(subprocess, "run", run)
    return answers, seen


def test_the_ratio_is_that_of_turns_and_each_tree_runs_its_own_code(said, tmp_path):
    answers, seen = said
    # The second turn meets a machine that is ten times as slow: seconds say nothing, the ratio is the same.
    answers += [
        (1000, 1.0, 5),
        (1000, 0.5, 5),
        (1000, 10.0, 6),
        (1000, 5.0, 6),
        (1000, 1.0, 7),
        (1000, 0.4, 7),
    ]
    trees = (tmp_path / "a", tmp_path / "b")
    speeds = benchmark.measure(tmp_path, trees, tmp_path / "builds", images=2, pairs=3)
    assert speeds == [[1000, 100, 1000], [2000, 200, 2500]]
    assert "| this tree | 2,000 | 2.00 |" in benchmark.markdown(speeds)
    assert seen[:2] == [(tree, str(tree)) for tree in trees]


def test_other_results_are_no_speed(said, tmp_path, capsys):
    said[0].extend([(1000, 1.0, 5), (1000, 0.5, 4)])
    arguments = [str(tmp_path), "--before", str(tmp_path), "--pairs", "1"]
    assert benchmark.main(arguments) == 2
    assert "do not agree" in capsys.readouterr().err
