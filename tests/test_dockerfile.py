"""The Dockerfile keeps its word: what its steps name exists, and is what the program needs.

Docker is on few machines that run tests. So each instruction is read, and held against the project; the
installation itself is what ``make test-wheel`` does.
"""

import json
import re
import shlex
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import typer

from bitstreams.commands import command_line
from bitstreams.tools.doctor import NEEDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
KNOWN = {"FROM", "RUN", "COPY", "WORKDIR", "ENTRYPOINT", "CMD"}


def steps() -> list[tuple[str, str]]:
    """Instructions and what stands behind them, continued lines as one."""
    text = "\n".join(line for line in (ROOT / "Dockerfile").read_text().splitlines() if line[:1] != "#")
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in lines]


def commands() -> list[list[str]]:
    """Words of every command of a RUN."""
    runs = [text for name, text in steps() if name == "RUN"]
    return [shlex.split(part) for text in runs for part in text.split("&&")]


def installed(program: str, *skip: str) -> set[str]:
    words = [word for command in commands() if command[:2] == [program, "install"] for word in command[2:]]
    return {word for word in words if not word.startswith("-") and word not in skip}


def test_every_instruction_is_one_that_is_read_here():
    names = [name for name, _ in steps()]
    assert set(names) == KNOWN and names[0] == "FROM" and names.count("FROM") == 1
    assert len(commands()) == 6


def test_the_image_has_a_python_that_the_project_takes():
    image = dict(steps())["FROM"]
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-bookworm", image)
    assert version and PROJECT["requires-python"] == f">={version[1]}"


def test_the_packages_of_the_system_are_those_that_the_doctor_names():
    named = {word for need in NEEDS for word in re.findall(r"apt install ([^,]*)", need.remedy)}
    wanted = {word for text in named for word in text.split()}
    own = {"libpython3-dev"}  # the image's Python is built with --enable-shared
    assert installed("apt-get") == wanted - own


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="no Debian")
def test_the_packages_of_the_system_exist():
    known = subprocess.run(["apt-cache", "pkgnames"], capture_output=True, text=True).stdout.split()
    if "perl-doc" not in known:
        pytest.skip("this machine has no lists of packages")
    assert installed("apt-get") <= set(known)


def test_pip_installs_this_project_with_extras_that_it_has():
    names = installed("pip", "https://download.pytorch.org/whl/cpu")
    (torch,) = [name for name in names if name.startswith("torch")]
    assert torch in PROJECT["optional-dependencies"]["pruning"]
    (own,) = names - {torch}
    folder, extras = re.fullmatch(r"(/\w+)\[([\w,]+)\]", own).groups()
    assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"])
    assert set(extras.split(",")) == set(PROJECT["optional-dependencies"]) - {"dev", "notebook"}
    assert ("COPY", f". {folder}") in steps()


def test_what_is_run_is_a_command_line():
    found = dict(steps())
    (program,) = json.loads(found["ENTRYPOINT"])
    assert program in PROJECT["scripts"]
    assert json.loads(found["CMD"]) == ["--help"]
    text = (ROOT / "Dockerfile").read_text()
    (said,) = re.findall(r"^#.* spec2 (\w+)$", text, re.MULTILINE)
    assert said in typer.main.get_command(command_line.app).commands


@pytest.mark.parametrize("path", ["README.md", "LICENSE", "spec2.py", "hw/emit.py", "docs/index.md"])
def test_what_is_left_out_of_the_image_is_nothing_of_the_project(path):
    patterns = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] != "#"]
    parts = Path(path).parts
    for pattern in patterns:
        last = pattern.removeprefix("**/")
        assert not any(Path(part).match(last) for part in (parts if "**" in pattern else parts[:1]))
