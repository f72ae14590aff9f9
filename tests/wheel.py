"""What a user installs, made of the files that git has: an sdist, and the wheel of it, unpacked."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

BUILD = "import sys; from setuptools import build_meta; print(getattr(build_meta, sys.argv[1])(sys.argv[2]))"


@dataclass(frozen=True)
class Wheel:
    """sdist, wheel: the files. site: a folder with the wheel's content, as in ``site-packages``."""

    sdist: Path
    wheel: Path
    site: Path


def make_wheel(folder: Path) -> Wheel:
    """Builds both below ``folder``. A checkout without git (an sdist) is taken as it is."""
    tree = folder / "tree"
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True)
    names = [name for name in listed.stdout.split("\0") if name]
    if not names:
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(".venv", "build", "__pycache__"))
    for name in names:
        if (ROOT / name).exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    sdist = folder / _build(tree, "build_sdist", folder)
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    wheel = folder / _build(source, "build_wheel", folder)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return Wheel(sdist, wheel, folder / "site")


def _build(tree: Path, what: str, out: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", BUILD, what, out],
        cwd=tree,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


if __name__ == "__main__":
    print(make_wheel(Path(sys.argv[1]).resolve()).wheel)
