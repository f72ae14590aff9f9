"""Commands on any terminal: every sign is printed somehow, and a request to end is answered in order."""

import io
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hw.commands import terminal
from hw.commands.terminal import Ended, ending_in_order, print_anything

ROOT = Path(__file__).parents[3]


def printed(text: str, encoding: str, monkeypatch) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    monkeypatch.setattr(sys, "stdout", stream)
    print_anything()
    print(text, end="", flush=True)
    return stream.buffer.getvalue().decode(encoding)


SIGNS = "8×8 √½ ≥ 2² µs → … – ─│ größe \udcff ⠋"


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("ascii", "8x8 sqrt 1/2 >= 2^2 us -> ... - -| grosse ? ?"),
        ("latin-1", "8×8 sqrt ½ >= 2² µs -> ... - -| größe ? ?"),
        ("utf-8", "8×8 √½ ≥ 2² µs → … – ─│ größe ? ⠋"),
    ],
)
def test_signs_that_the_terminal_lacks_are_written_in_others(encoding, expected, monkeypatch):
    assert printed(SIGNS, encoding, monkeypatch) == expected


def test_every_sign_of_the_program_has_letters():
    """The tables' lines are rich's, which takes others where they are missing."""
    files = [
        ROOT / "spec2.py",
        *(f for p in ("hw", "sim", "bitstreams", "pruning") for f in (ROOT / p).rglob("*.py")),
    ]
    signs = {sign for file in files for sign in file.read_text(encoding="utf-8") if ord(sign) > 127}
    assert len(signs) > 10
    spelt = {sign: terminal._letters(sign) for sign in signs}
    assert all(letters.isascii() for letters in spelt.values())


@pytest.mark.parametrize(
    "settings", [{"PYTHONIOENCODING": "latin-1"}, {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_tables_and_sentences_come_out_anywhere(settings):
    environment = {**os.environ, "LC_ALL": "C", "COLUMNS": "200", **settings}
    for arguments, code in ((["boards"], 0), (["estimate", "größe √.npz"], 2)):
        command = [sys.executable, "-m", "spec2", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True)
        assert done.returncode == code, done.stderr.decode("latin-1")
        said = (done.stdout + done.stderr).decode("latin-1")
        assert "Traceback" not in said and ("vc709" in said or "spec2: there is no artifact at" in said)


@pytest.mark.parametrize("number", terminal.ASKED)
def test_a_signal_ends_the_block_in_order(number):
    cleaned = []
    before = signal.signal(number, signal.SIG_DFL)  # which nohup, for one, sets to ignore
    try:
        with pytest.raises(Ended, match=number.name) as caught, ending_in_order():
            try:
                signal.raise_signal(number)
            finally:
                cleaned.append(1)
        assert cleaned and caught.value.number == number
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        signal.signal(number, before)


def test_a_signal_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending_in_order():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_command_line_says_what_ended_it(monkeypatch, run):
    from bitstreams.commands import command_line

    monkeypatch.setattr(command_line, "app", lambda **_: signal.raise_signal(signal.SIGTERM))
    result = run("boards")
    assert result.code == 128 + 15 and result.err == "spec2: ended by SIGTERM\n"


def test_an_interrupt_inside_a_command_is_said(monkeypatch, run):
    """Typer 0.29 makes an exit of it, without a word."""

    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("bitstreams.tools.doctor.examine", interrupt)
    result = run("doctor")
    assert result.code == 130 and result.err == "spec2: interrupted\n"
