"""Files are replaced whole or not at all."""

import errno
import fcntl
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hw.util.errors import ArtifactError
from hw.util.files import inside, replacing, temporary, together, write, write_json

ROOT = Path(__file__).parents[3]


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
        with pytest.raises(expected), together(tmp_path / name, stale=["*"]) as folder:
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
    with together(tmp_path, stale=["spec2*", "spec2.v", "gone.v"]) as folder:
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


# --- what killed processes leave ------------------------------------------------------------------------

WRITER = """
import os, signal, sys
from pathlib import Path
from hw.util.files import replacing, temporary, together
os.getpid = lambda: 1  # as in a container
with {how} as part:
    (part / "half" if part.is_dir() else part).write_text("half")
    print(flush=True)
    sys.stdin.read()
    os.kill(int(os.readlink('/proc/self')), signal.SIGKILL)
"""


@pytest.mark.parametrize(
    "how", ["replacing(Path('file'))", "together(Path('.'), stale=['file*'])", "temporary('.')"]
)
def test_what_a_killed_writer_left_goes_with_the_next(tmp_path, how):
    def writer() -> subprocess.Popen[str]:
        script = WRITER.format(how=how)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        process = subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        process.stdout.readline()
        return process

    def end(process: subprocess.Popen[str]) -> int:
        process.communicate()
        return process.returncode

    write(tmp_path / "file", "old")
    mine = ("other.0123abcd.part", "file.part", "file.backup.part", ".mine.part")
    for name in mine:
        write(tmp_path / name, "mine")
    first, second = writer(), writer()
    assert len(list(tmp_path.iterdir())) == 1 + len(mine) + 2, "one at work is left alone"
    assert [end(first), end(second)] == [-9, -9]
    assert len(list(tmp_path.iterdir())) == 1 + len(mine) + 2
    third = writer()
    assert len(list(tmp_path.iterdir())) == 1 + len(mine) + 1
    third.kill()
    end(third)
    with together(tmp_path, stale=["nothing"]), temporary(tmp_path) as place:
        assert place.stat().st_mode & 0o777 == 0o700
        write(tmp_path / "file", "new")
    assert {path.name for path in tmp_path.iterdir()} >= {"file", *mine}
    assert (tmp_path / "file").read_text() == "new"
    assert not [name for name in listing(tmp_path) if re.fullmatch(r"(file|spec2)?\.[0-9a-f]{8}\.part", name)]


def test_what_older_versions_left_goes_and_links_and_pipes_stay(tmp_path):
    (tmp_path / "file.1.part").write_text("left")
    (tmp_path / "file.2.part").symlink_to("precious")
    (tmp_path / "precious").touch()
    os.mkfifo(tmp_path / "file.3.part")
    write(tmp_path / "file", "new")
    assert {path.name for path in tmp_path.iterdir()} == {"file", "file.2.part", "precious"}


def test_files_get_the_rights_of_any_other(tmp_path):
    before = os.umask(0o027)
    try:
        write(tmp_path / "file", "")
    finally:
        os.umask(before)
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o640


def test_where_there_are_no_locks_files_are_written_and_nothing_is_taken_for_left(tmp_path, monkeypatch):
    def unsupported(file, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", unsupported)
    (tmp_path / "file.1.part").write_text("perhaps at work")
    write(tmp_path / "file", "new")
    assert listing(tmp_path) == {"file": b"new", "file.1.part": b"perhaps at work"}
