"""What an installation has: every file of the packages, and what it does without the checkout."""

import os
import subprocess
import sys
import tarfile
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


def test_the_wheel_has_the_packages_and_nothing_else(wheel):
    """Made from the sdist, so that this is whole as well."""
    packed = {path.relative_to(wheel.site) for path in wheel.site.rglob("*") if path.is_file()}
    packed = {path for path in packed if not path.parts[0].endswith(".dist-info")}
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", *PACKAGES, "spec2.py"], capture_output=True, text=True
    )
    assert listed.stdout, "the test needs a checkout"
    assert {str(path) for path in packed} == set(listed.stdout.split())
    with tarfile.open(wheel.sdist) as archive:
        names = {name.split("/", 1)[-1] for name in archive.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "spec2.py"} <= names


def test_the_wheel_works_in_an_empty_folder(wheel, tmp_path):
    """From its own files: templates, zoo, Tcl and HTML are read as well. The demo itself is run by the test
    of the README's first commands."""
    paths = os.environ | {"PYTHONPATH": str(wheel.site)}

    def spec2(*words: str) -> str:
        command = [sys.executable, "-m", "spec2", *words]
        done = subprocess.run(command, cwd=tmp_path, env=paths, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = [
        sys.executable,
        "-c",
        "import spec2, hw, sim, pruning, bitstreams; print(spec2.__file__, hw.__file__)",
    ]
    found = subprocess.run(where, cwd=tmp_path, env=paths, capture_output=True, text=True, check=True).stdout
    assert found.split() == [str(wheel.site / "spec2.py"), str(wheel.site / "hw" / "__init__.py")]
    spec2("new", "mine")
    spec2("generate", "zoo:lenet-1:8", "--rows", "4", "--lanes", "1", "--out", "design")
    spec2("report", "zoo:lenet-1:8", "--design", "design")
    spec2("build", "design", "--board", "vc707", "--plan-only", "--out", "plan")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "build", "design", "plan"}
    assert (tmp_path / "build" / "zoo" / "lenet-1of8" / "report.html").exists()
    said = spec2("--version")
    assert said.startswith(
        "spec2 " + tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    )
