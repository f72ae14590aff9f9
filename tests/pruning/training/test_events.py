"""TensorBoard's files, read back by TensorBoard: the figures of training.csv, each step once."""

import csv
import sys

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from hw.util.errors import ArtifactError, ToolNotFound
from pruning.training.events import FOLDER, TAGS, Events, events_in
from pruning.training.log import LogRow, write_log


def row(phase: str, epoch: int) -> LogRow:
    return LogRow(phase, epoch, 2.0 / epoch, 90 + epoch / 3, 0.25, 0.1 * epoch, 1e-4)


ROWS = [row("dense", 1), row("dense", 2), row("admm", 1), row("admm", 2), row("mirror", 1)]


def read(folder) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every scalar."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0}).Reload()
    return {tag: [(e.step, e.value) for e in found.Scalars(tag)] for tag in found.Tags()["scalars"]}


def in_log(path) -> dict[str, list[tuple[int, float]]]:
    """The same, of training.csv; TensorBoard keeps float32."""
    rows = list(csv.DictReader(path.read_text().splitlines()))
    return {tag: [(i, float(np.float32(row[tag]))) for i, row in enumerate(rows, 1)] for tag in TAGS}


def test_sessions_follow_one_another_without_a_step_twice(tmp_path):
    """The second session begins with what the checkpoint had, an epoch less than the first one wrote."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "notes.txt").write_text("mine")
    for had, end in ((0, 3), (2, 5)):
        with events_in(tmp_path, True) as events:
            events.follow([])  # before the checkpoint is read
            for count in range(had + 1, end + 1):
                events.follow(ROWS[:count])
            events.follow(ROWS[:end])
    write_log(ROWS, tmp_path)
    assert read(tmp_path / FOLDER) == in_log(tmp_path / "training.csv")
    assert len(read(tmp_path / FOLDER)["loss"]) == len(ROWS)
    found = EventAccumulator(str(tmp_path / FOLDER), size_guidance={"tensors": 0}).Reload()
    phases = [(e.step, e.tensor_proto.string_val[0].decode()) for e in found.Tensors("phase/text_summary")]
    assert phases == [(1, "dense"), (3, "admm"), (5, "mirror")]
    assert (tmp_path / FOLDER / "notes.txt").exists()


def test_nothing_is_written_where_nobody_asks(tmp_path):
    with events_in(tmp_path, False) as events:
        assert events is None
    assert not list(tmp_path.iterdir())


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(ToolNotFound, match="needs the extra 'tensorboard'"), events_in(tmp_path, True):
        pass


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / FOLDER).write_text("a file")
    with pytest.raises(ArtifactError, match="cannot write"):
        Events(tmp_path / FOLDER).follow([])
