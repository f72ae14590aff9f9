"""Files are replaced whole or not at all."""

import errno
from pathlib import Path

import pytest

from hw.errors import ArtifactError
from hw.files import inside, replacing, together, write, write_json


def listing(folder: Path) -> dict[str, bytes | None]:
    """Everything in ``folder``, of files what they hold."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in folder.rglob("*")
    }


def test_a_file_is_replaced_and_folders_on_the_way_are_made(tmp_path):
    path = tmp_path / "a" / "b" / "rows.json"
    for rows in ([1, 2], []):
        write_json(path, rows)
        assert path.read_text() == ("[\n 1,\n 2\n]\n" if rows else "[]\n")
    write(path, "µ")
    assert listing(tmp_path) == {"a": None, "a/b": None, "a/b/rows.json": "µ".encode()}


FAILURES = [OSError(errno.ENOSPC, "No space left"), ValueError("bug"), KeyboardInterrupt()]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
def test_what_was_there_outlives_a_failure(tmp_path, error):
    write(tmp_path / "old", "kept")
    before = listing(tmp_path)
    expected = ArtifactError if isinstance(error, OSError) else type(error)
    for name in ("old", "new", "deep/er/new"):
        with pytest.raises(expected) as caught, replacing(tmp_path / name) as part:
            part.write_text("half")
            raise error
        assert listing(tmp_path) == before
        if isinstance(error, OSError):
            assert str(caught.value) == f"cannot write {tmp_path / name}: No space left"
    for name in (".", "deep/er"):
        with pytest.raises(expected), together(tmp_path / name, stale="*") as folder:
            (folder / "old").write_text("half")
            raise error
        assert listing(tmp_path) == before


def test_a_place_that_is_none_is_named(tmp_path):
    write(tmp_path / "file", "")
    (tmp_path / "folder").mkdir()
    before = listing(tmp_path)
    for path in (tmp_path / "file" / "inside", tmp_path / "folder"):
        with pytest.raises(ArtifactError, match=f"cannot write {path}: (File exists|Is a directory)"):
            write(path, "text")
    assert listing(tmp_path) == before


def test_links_and_devices_stay_what_they_are(tmp_path):
    write(tmp_path / "file", "old")
    (tmp_path / "link").symlink_to("file")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_text() == "new"
    (tmp_path / "device").symlink_to("/dev/null")
    write(tmp_path / "device", "gone")
    assert Path("/dev/null").is_char_device()


def test_files_of_a_folder_change_together(tmp_path):
    for name in ("spec2.v", "spec2_old.mem", "mine.txt"):
        write(tmp_path / name, "old")
    with together(tmp_path, stale="spec2*") as folder:
        for name in ("spec2.v", "spec2_new.mem", "design.json"):
            (folder / name).write_text("new")
        assert (tmp_path / "spec2.v").read_text() == "old" and (tmp_path / "spec2_old.mem").exists()
    assert listing(tmp_path) == {
        "mine.txt": b"old",
        "spec2.v": b"new",
        "spec2_new.mem": b"new",
        "design.json": b"new",
    }


def test_inside_removes_a_link_and_nothing_else(tmp_path):
    elsewhere, path = tmp_path / "elsewhere", tmp_path / "in" / "a.json"
    elsewhere.write_text("mine")
    path.parent.mkdir()
    for leads_to in (elsewhere, tmp_path / "nowhere"):
        path.symlink_to(leads_to)
        write_json(inside(path.parent, "a.json"), {})
        assert path.read_text() == "{}\n" and not path.is_symlink()
        path.unlink()
    path.write_text("before")
    assert inside(path.parent, "a.json") == path and path.read_text() == "before"
    assert elsewhere.read_text() == "mine" and not (tmp_path / "nowhere").exists()
