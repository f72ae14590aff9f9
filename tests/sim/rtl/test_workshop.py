"""Simulators are built where make can work, wherever the design lies."""

import tempfile
from pathlib import Path

import pytest

from hw.util.errors import ToolFailed
from sim.rtl import workshop as module
from sim.rtl.workshop import workshop


def test_a_plain_folder_is_used_itself_and_stays_after_a_failure(tmp_path):
    folder = tmp_path / "objects"
    with workshop(folder) as place:
        (place / "half").touch()
        assert place == folder
    assert not folder.exists()
    with pytest.raises(ZeroDivisionError), workshop(folder) as place:
        (place / "half").touch()
        raise ZeroDivisionError
    assert (folder / "half").exists()
    with workshop(folder) as place:
        assert not list(place.iterdir()), "what was left goes"


@pytest.mark.parametrize(
    "name", ["two words", "größe", "a$HOME", "a:b", "it's", "100%", "#1", "a\\b", "(1)", "~"]
)
def test_where_make_cannot_work_there_is_a_temporary_folder(tmp_path, name):
    with workshop(tmp_path / name / "objects") as place:
        assert place.is_dir() and module._PLAIN.fullmatch(str(place))
    assert not place.exists()


def test_a_place_for_temporary_files_that_will_not_do_is_not_taken(tmp_path, monkeypatch):
    own, other = tmp_path / "my files", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(own))
    monkeypatch.setattr(module, "SHARED", (str(tmp_path / "none"), str(other)))
    with workshop(own / "objects") as place:
        assert place.parent == other
    monkeypatch.setattr(module, "SHARED", (str(tmp_path / "none"),))
    with pytest.raises(ToolFailed, match=r"cannot work in .*my files/objects, .*: set TMPDIR to one without"):
        with workshop(own / "objects"):
            pass


def test_paths_of_tests_are_plain():
    """Or the tests above and those of simulators would not test both ways."""
    assert module._PLAIN.fullmatch(str(Path(tempfile.gettempdir()).resolve()))
