"""``training.csv`` as training writes it, and anything else."""

import pytest

from sim.report.training_log import FILE_NAME, MOST, curves

HEAD = "phase,epoch,loss,accuracy,kept,primal,dual\n"


def test_rows_of_a_log_are_read_as_they_were_written(tmp_path):
    pytest.importorskip("torch")
    from pruning.training.log import LogRow, write_log

    write_log(
        [LogRow("dense", 1, 0.5, 97.25, 1.0, 0.0, 0.0), LogRow("a, b", 1, 0.25, 98, 0.25, 1, 2)], tmp_path
    )
    assert curves(tmp_path) == [
        {"phase": "dense", "loss": 0.5, "accuracy": 97.25, "kept": 1.0},
        {"phase": "a, b", "loss": 0.25, "accuracy": 98.0, "kept": 0.25},
    ]


@pytest.mark.parametrize(
    "text", ["", HEAD, HEAD + "dense,1,nan,9,1,0,0\n", HEAD + "dense,1,x,9,1,0,0\n", HEAD + "dense,1\n",
    "loss\n1\n", "\0",
     HEAD + '"dense,1,1,9,1,0,0\n'],
)  # fmt: skip
def test_what_is_no_log_has_no_curves(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    assert curves(tmp_path) == []


def test_none_and_too_much_have_no_curves(tmp_path):
    assert curves(tmp_path) == []
    (tmp_path / FILE_NAME).write_bytes(HEAD.encode() + b"dense,1,1,9,1,0,0\n" * (MOST // 10))
    assert curves(tmp_path) == []


def test_a_long_phase_is_cut(tmp_path):
    (tmp_path / FILE_NAME).write_text(HEAD + "x" * 1000 + ",1,1,9,1,0,0\n")
    assert len(curves(tmp_path)[0]["phase"]) == 60
