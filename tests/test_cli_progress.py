"""Progress on a terminal, in a log, and none."""

import pytest

from hw.commands import console


def test_progress_in_a_log_is_a_line_now_and_then(capsys, monkeypatch):
    clock = iter([0, 4, 11, 12, 30])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("working") as show:
        for done in range(3):
            show(done, 4, "sawing")
        show(None, None, "planing")
    out, err = capsys.readouterr()
    assert err.splitlines() == [
        "working ...",
        "working 25 % sawing (11 s, about 33 s left)",
        "working planing (30 s)",
    ]
    assert out == ""


def test_what_an_earlier_run_did_took_none_of_the_time(capsys, monkeypatch):
    clock = iter([0, 1, 21, 22])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    with console.progress("working") as show:
        for done in (50, 60, 100):
            show(done, 100, "sawing")
    assert capsys.readouterr().err.splitlines()[1] == "working 60 % sawing (21 s, about 80 s left)"


@pytest.mark.parametrize(
    ("done", "seconds", "said"),
    [
        (0, 50, ""),
        (1, 50, ""),  # a hundredth says nothing yet
        (2, 1, "about 49 s left"),
        (50, 0.2, "about 1 s left"),
        (50, 99, "about 99 s left"),
        (50, 100, "about 2 min left"),
        (10, 600, "about 90 min left"),
        (10, 7200, "about 18 h left"),
        (100, 50, ""),
        (None, 50, ""),
    ],
)
def test_the_rest_takes_as_long_as_what_was_done(done, seconds, said):
    assert console._left(done, 100, seconds) == said


def test_a_quiet_program_says_nothing_of_progress(run, model, tmp_path):
    loud = run("estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1")
    assert loud.code == 0 and loud.err
    quiet = run("--quiet", "estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1")
    assert (quiet.code, quiet.err, quiet.out) == (0, "", loud.out)
    assert run("estimate", model, "--rows", "4", "--lanes", "2", "--batch", "1").err == loud.err
