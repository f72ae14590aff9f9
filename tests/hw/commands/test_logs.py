"""``--verbose`` and ``--log``: records, and how a log ends whatever the command ends with."""

import json
import logging
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import spec2
from hw.commands import console
from hw.commands.logs import PACKAGES
from hw.commands.terminal import Ended
from hw.contract.artifact import random_artifact
from hw.contract.network import tiny
from hw.util import processes

LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d (DEBUG|INFO|ERROR|CRITICAL) [\w.]+: ")

ENVIRONMENT = os.environ | {"PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.fixture
def logged(run, tmp_path):
    """Run a command with a log; gives the result and the log's lines."""

    def call(*arguments, before=()):
        file = tmp_path / "a log.txt"
        result = run("--log", file, *before, *arguments)
        return result, file.read_text().splitlines()

    return call


def ended(lines: list[str]) -> int:
    """The exit code that a log ends with."""
    match = re.search(r" INFO spec2: ended with exit code (\d+) after \d+\.\d s$", lines[-1])
    assert match, lines[-1]
    return int(match[1])


@pytest.fixture
def raising(monkeypatch):
    """Makes 'spec2 boards' raise something."""

    def make(error):
        def call(*arguments, **options):
            raise error

        monkeypatch.setattr("bitstreams.commands.boards.emit", call)

    return make


def test_a_log_tells_what_was_called_with_which_version_and_how_it_ended(logged) -> None:
    result, lines = logged("boards", "--json")
    assert result.code == 0 and json.loads(result.out) and result.err == ""
    assert all(LINE.match(line) for line in lines)
    assert re.search(r"INFO spec2: spec2 \S+, spec2 --log '\S+/a log.txt' boards --json$", lines[0])
    assert "Python 3." in lines[1] and "numpy 2." in lines[1]
    assert ended(lines) == 0


@pytest.mark.parametrize(
    ("error", "code", "word"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (OSError(28, "No space left on device"), 2, "No space left on device: make room"),
        (Ended(signal.SIGTERM), 143, "ended by SIGTERM"),
    ],
)
def test_a_log_ends_with_the_exit_code_of_every_end(logged, raising, error, code, word) -> None:
    raising(error)
    result, lines = logged("boards")
    assert result.code == code == ended(lines)
    assert word in result.err and result.err.count(word) == 1
    assert "ERROR spec2: " + word in lines[-2]


def test_a_mistake_is_one_sentence_on_the_terminal_and_in_the_log(logged) -> None:
    result, lines = logged("generate", "nothing.npz")
    assert "there is no artifact at nothing.npz" in result.sentence and result.err.count("\n") == 1
    assert "there is no artifact at nothing.npz" in lines[-2] and ended(lines) == 2


def test_a_bug_leaves_its_traceback_in_the_log(raising, tmp_path) -> None:
    raising(RuntimeError("a \x1b[31mbug"))
    with pytest.raises(RuntimeError):
        spec2.main(["--log", str(tmp_path / "log"), "boards"])
    text = (tmp_path / "log").read_text()
    assert "Traceback" in text and r"RuntimeError: a \x1b[31mbug" in text and "\x1b" not in text
    assert ended(text.splitlines()) == 1


@pytest.mark.parametrize("file", ["/proc/no/log", "/", "a\0b"])
def test_a_log_that_cannot_be_written_is_refused_before_any_work(run, raising, file) -> None:
    raising(AssertionError("it worked already"))
    assert re.search("cannot write the log|holds a NUL", run("--log", file, "boards").sentence)


def test_verbose_goes_to_stderr_and_says_a_mistake_once(run) -> None:
    done = run("--verbose", "boards", "--json")
    assert json.loads(done.out) and "INFO" in done.err and "ended with exit code 0" in done.err
    done = run("--verbose", "generate", "nothing.npz")
    assert done.code == 2 and done.err.count("there is no artifact") == 1


def test_records_hold_lines_whatever_a_tool_is_called(logged, raising, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(
        "bitstreams.commands.boards.emit",
        lambda *_: processes.run(["sh", "-c", "exit 3", "a\nb\x1b[2J"], tmp_path, print),
    )
    _, lines = logged("boards", before=("--verbose",))
    (started,) = (line for line in lines if "exit 3" in line)
    assert r"'a\nb\x1b[2J'" in started and all(LINE.match(line) for line in lines)
    assert any("sh ended with code 3 after" in line for line in lines)


@pytest.mark.parametrize("command", ["generate", "estimate"])
def test_what_the_compiler_decided_is_said(run, tmp_path, command) -> None:
    random_artifact(tiny(), seed=5).save(tmp_path / "model.npz")
    array = ("--rows", "4", "--lanes", "1", "--batch", "1")
    done = run("--log", tmp_path / "log", command, tmp_path / "model.npz", *array)
    said = re.findall(r"INFO hw\.cost\.choices: ([a-z]+ ?\w*)", (tmp_path / "log").read_text())
    layers = [f"layer {layer.name}" for layer in tiny().layers]
    assert done.code == 0 and said == ["feature memory", "weights", *layers]


def test_nothing_stays_behind(run, tmp_path) -> None:
    run("--verbose", "--log", tmp_path / "log", "boards")
    left = [handler for package in PACKAGES for handler in logging.getLogger(package).handlers]
    assert {type(handler) for handler in left} == {logging.NullHandler} and len(left) == len(PACKAGES)
    size = (tmp_path / "log").stat().st_size
    assert run("boards").err == "" and (tmp_path / "log").stat().st_size == size


def test_a_log_on_a_full_disk_is_given_up_with_a_sentence(run) -> None:
    done = run("--log", "/dev/full", "boards", "--json")
    assert done.code == 0 and json.loads(done.out)
    assert done.err.count("the log /dev/full cannot be written any more") == 1 and "Traceback" not in done.err


def test_steps_have_their_seconds(caplog, monkeypatch) -> None:
    monkeypatch.setattr(console, "quiet", True)
    with caplog.at_level(logging.INFO, "hw"), console.progress("working"):
        pass
    assert [re.sub(r"\d\.\d", "N", record.message) for record in caplog.records] == [
        "working",
        "working: done in N s",
    ]


def test_a_mistake_is_said_once(tmp_path) -> None:
    """In a process of its own: there nothing but the program has a handler, and Python would write errors."""
    for options in ([], ["--quiet"], ["--log", str(tmp_path / "log")]):
        command = [sys.executable, "-m", "spec2", *options, "generate", "nothing.npz"]
        done = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True)
        assert done.returncode == 2 and done.stdout == ""
        assert done.stderr.count("there is no artifact") == 1 and done.stderr.count("\n") == 1
