"""There is a place for caches, whoever runs the commands."""

import os
import tempfile
from pathlib import Path

import pytest

from hw.util import caches


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A place for temporary files, and no caches anywhere."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    caches._of_this_process.cache_clear()
    return place


def without_a_name(monkeypatch):
    """As a user that /etc/passwd does not know."""

    def expand(path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", expand)


def test_the_users_own_place_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert caches.folder() == tmp_path / ".cache" and caches.environment() == dict(os.environ)
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")  # which counts as none
    assert caches.folder() == tmp_path / ".cache"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "not" / "yet"))
    assert caches.folder() == tmp_path / "not" / "yet"
    assert not (tmp_path / "not").exists(), "looking makes nothing"


@pytest.mark.parametrize("case", ["no home", "a file", "not writable", "a link to nowhere"])
def test_without_one_a_private_folder_is_taken(tmp_path, monkeypatch, temporary, case):
    home = tmp_path / "home"
    match case:
        case "no home":
            without_a_name(monkeypatch)
        case "a file":
            home.touch()
        case "not writable":
            home.mkdir()
            monkeypatch.setattr(os, "access", lambda path, how: False)  # root may write anywhere
        case "a link to nowhere":
            home.symlink_to(tmp_path / "nowhere")
    if case != "no home":
        monkeypatch.setenv("HOME", str(home))
    own = temporary / f"spec2-{os.getuid()}"
    assert caches.folder() == own / ".cache"
    given = caches.environment()
    assert (given["HOME"], given["XDG_CACHE_HOME"]) == (str(own), str(own / ".cache"))
    assert own.stat().st_mode & 0o777 == 0o700
    assert caches.folder() == own / ".cache", "every command takes the same"


@pytest.mark.parametrize("case", ["a link", "a file", "others may write"])
def test_what_another_user_may_have_laid_there_is_not_taken(tmp_path, monkeypatch, temporary, case):
    without_a_name(monkeypatch)
    trap = temporary / f"spec2-{os.getuid()}"
    if case == "a link":
        trap.symlink_to(tmp_path)
    elif case == "a file":
        trap.touch()
    else:
        trap.mkdir()
        trap.chmod(0o777)
    found = caches.folder().parent
    assert found != trap and found.parent == temporary and found.stat().st_mode & 0o777 == 0o700
    assert caches.folder().parent == found
