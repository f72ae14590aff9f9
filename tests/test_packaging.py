"""What an installation has: every file of the packages, and every module that the command line needs."""

import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

setuptools = pytest.importorskip("setuptools")

ROOT = Path(__file__).parents[1]
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
FOUND = set(setuptools.find_namespace_packages(str(ROOT), include=SETTINGS["packages"]["find"]["include"]))
PACKAGES = ("hw", "sim", "pruning", "bitstreams")


def files(package: str) -> list[Path]:
    found = [path for path in (ROOT / package).rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts and path.suffix not in (".py", ".pyc")]


def installed(path: Path, patterns: dict[str, list[str]]) -> bool:
    """Whether the settings take a file along: it lies in a package, and a pattern of this or of all fits."""
    package = ".".join(path.parent.relative_to(ROOT).parts)
    return package in FOUND and any(
        fnmatch(path.name, pattern) for key in ("*", package) for pattern in patterns.get(key, [])
    )


@pytest.mark.parametrize("package", PACKAGES)
def test_every_file_is_part_of_an_installation(package):
    found = files(package)
    assert found
    assert [str(path) for path in found if not installed(path, SETTINGS["package-data"])] == []


def test_a_pattern_that_is_missing_is_found():
    (some, *_) = files("hw")
    assert not installed(some, {"*": ["*.nothing"]})
